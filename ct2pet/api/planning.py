"""From a raw dataset to preprocessed data: the command ct2pet_plan_and_preprocess and its three parts as functions."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet.api.segmentation import segment_missing
from ct2pet.dataset import Description, RawDataset, open_dataset, read_dataset_json, verify_dataset
from ct2pet.dataset.fields import DISTRICTS
from ct2pet.dataset.splits import load_or_create_splits
from ct2pet.districts import load_segmenter
from ct2pet.districts.records import MapRecord, origins, read_record
from ct2pet.errors import CasesFailed, DatasetError, PlansError
from ct2pet.files import copy_file
from ct2pet.fingerprint.extractor import extract_fingerprint as extract
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.layout import DATASET, DEFAULT_PLANS
from ct2pet.outputs import check_output_folder
from ct2pet.parallel import default_processes
from ct2pet.paths import preprocessed_folder
from ct2pet.planning.adoption import plans_like
from ct2pet.planning.planner import PlanRequest, plan_experiment
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.planning.reference import is_reference, reference_names, reference_plans
from ct2pet.preprocessing import preprocess_dataset
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.sharing.box import BOX, box_plans
from ct2pet.suggestions import did_you_mean

DEFAULT_MODEL = "pix2pix"


@dataclass(frozen=True)
class PlanningOptions:
    """``plans_name``: name of the plans to write; reference plans (``paper_2503_15555``) have fixed decisions,
    ``box`` has the networks of the built-in model.
    ``gpu_memory_target``: memory for training ``models`` in GiB (RAM for a CPU; default of models: pix2pix, or all
    where pix2pix does not support the dataset's fields). ``device``: the kind of device that will train; this machine
    need not have it. ``target_spacing``: Z, Y, X in mm, in place of the median of the cases."""

    plans_name: str = DEFAULT_PLANS
    gpu_memory_target: float | None = None
    device: str | None = None
    models: Sequence[str] | None = None
    target_spacing: Sequence[float] | None = None

    @property
    def request(self) -> PlanRequest:
        """The options as a request to the planner."""
        return PlanRequest(self.plans_name, self.device or "", self.gpu_memory_target, self.models, self.target_spacing)


@dataclass(frozen=True)
class PlanAndPreprocessOptions(PlanningOptions):
    """PlanningOptions, and ``segmenter``, ``weights``: for maps missing in districtsTr (default: segmenter of the
    existing maps, or rules). ``configurations``: preprocess only these."""

    verify_dataset_integrity: bool = False
    segmenter: str | None = None
    weights: str | Path | None = None
    configurations: Sequence[str] | None = None
    num_processes: int | None = None


def plan_and_preprocess(dataset: str | int, options: PlanAndPreprocessOptions | None = None, **changes: Any) -> Plans:
    """Segment missing district maps, fingerprint, plan and preprocess the raw dataset of an id ("001") or name; returns
    the plans.

    ``changes`` are PlanAndPreprocessOptions by name. Raises DatasetError for an invalid dataset, and CasesFailed that
    names the cases that could not be used.
    """
    options = replace(options or PlanAndPreprocessOptions(), **changes)
    request, processes = options.request, options.num_processes
    raw = open_dataset(dataset)
    preprocessed = PreprocessedDataset(preprocessed_folder() / raw.name)
    check_output_folder(preprocessed.folder)
    _check_names(preprocessed, raw.description, request, options.configurations or ())
    if options.segmenter is not None:
        load_segmenter(options.segmenter)
    if options.verify_dataset_integrity:
        _verify(raw, processes)
    records = {}
    if raw.districts:
        records = segment_missing(
            raw,
            segmenter=options.segmenter,
            weights=options.weights,
            num_processes=processes,
            device=options.device,
        )
    fingerprint = _extract(raw, preprocessed, processes, records)
    plans = _plan(preprocessed, raw.description, fingerprint, request)
    chosen = {name: plans.configuration(name) for name in options.configurations or plans.configurations}
    chosen_plans = replace(plans, configurations=chosen)
    preprocess_dataset(raw, chosen_plans, preprocessed.folder, processes or default_processes())
    _name_doubtful_maps(raw, records)
    return plans


def verify(dataset: str | int, *, num_processes: int | None = None) -> None:
    """Check every file of the raw dataset. Raises DatasetError that lists all problems."""
    _verify(open_dataset(dataset), num_processes)


def _verify(raw: RawDataset, num_processes: int | None) -> None:
    problems = verify_dataset(raw, num_processes=num_processes or default_processes())
    if problems:
        lines = [str(problem) for problem in problems]
        raise DatasetError("\n".join([f"{raw.folder}: {len(lines)} problem(s):", *lines]))
    print(f"{raw.name}: {len(raw.cases('Tr'))} training and {len(raw.cases('Ts'))} test cases, no problems")


def extract_fingerprint(dataset: str | int, *, num_processes: int | None = None) -> Fingerprint:
    """Measure the training cases and write dataset_fingerprint.json, splits_final.json and a copy of dataset.json."""
    raw = open_dataset(dataset)
    return _extract(raw, PreprocessedDataset(preprocessed_folder() / raw.name), num_processes)


def _extract(
    raw: RawDataset,
    preprocessed: PreprocessedDataset,
    num_processes: int | None,
    records: Mapping[str, MapRecord | None] | None = None,
) -> Fingerprint:
    _check_has_cases(raw)
    check_output_folder(preprocessed.folder)
    if records is None:
        paths = [path for case in raw.cases("Tr") if (path := raw.file(DISTRICTS, case)) is not None]
        records = {str(path): read_record(path) for path in paths}
    fingerprint = extract(raw, origins(records.values()), num_processes or default_processes())
    copy_file(raw.folder / DATASET, preprocessed.folder / DATASET)
    load_or_create_splits(preprocessed.splits_file, raw)
    fingerprint.save(preprocessed.fingerprint_file)
    return fingerprint


def plan(dataset: str | int, options: PlanningOptions | None = None, **changes: Any) -> Plans:
    """Write plans from the fingerprint, for every method that supports the dataset's fields.

    ``changes`` are PlanningOptions by name. Raises PlansError where no training fits into the memory.
    """
    options = replace(options or PlanningOptions(), **changes)
    request = options.request
    preprocessed = PreprocessedDataset.find(str(dataset))
    check_output_folder(preprocessed.folder)
    fingerprint = Fingerprint.load(preprocessed.fingerprint_file)
    description = read_dataset_json(preprocessed.folder)
    _check_names(preprocessed, description, request, ())
    return _plan(preprocessed, description, fingerprint, request)


def _check_names(
    preprocessed: PreprocessedDataset, description: Description, request: PlanRequest, configurations: Sequence[str]
) -> None:
    """Raise PlansError or PluginError for an unknown name of plans, a configuration or a method, before any work."""
    preprocessed.plans_file(request.plans_name)
    fixed = request.plans_name == BOX or is_reference(request.plans_name)  # also checks the name
    if fixed and request.target_spacing is not None:
        raise PlansError(f"the plans {request.plans_name} have a fixed spacing; choose another name (-p)")
    known = [*description.districts, WHOLE_BODY]
    for name in configurations:
        if name not in known:
            raise PlansError(
                f"-c {name}: no such configuration; there are: {', '.join(known)}{did_you_mean(name, known)}"
            )
    if request.sized_for:
        from ct2pet.models import load_model

        for name in request.sized_for:
            load_model(name)


def _plan(
    preprocessed: PreprocessedDataset, description: Description, fingerprint: Fingerprint, request: PlanRequest
) -> Plans:
    from ct2pet.api.device import choose_device
    from ct2pet.models import load_model, model_names  # loads torch, which fingerprinting does not need

    path = preprocessed.plans_file(request.plans_name)
    needs = {name: load_model(name).requirements for name in model_names()}
    if is_reference(request.plans_name):
        plans = reference_plans(request.plans_name, fingerprint, description, needs)
    else:
        if request.sized_for is None and needs[DEFAULT_MODEL].problem(description) is None:
            request = replace(request, sized_for=(DEFAULT_MODEL,))
        request = replace(request, device=request.device or choose_device(None))
        if request.plans_name == BOX:
            plans = plans_like(box_plans(), fingerprint, description, needs, request)
        else:
            plans = plan_experiment(fingerprint, description, needs, request)
    known = [*preprocessed.plans_names(), DEFAULT_PLANS]
    replaced = path.exists() and _content(path) != plans
    plans.save(path)
    if replaced:
        print(f"{path}: replaced by new plans", file=sys.stderr)
    elif plans.plans_name not in (BOX, *known, *reference_names()):
        print(f"{path}: new plans of the default planner (reference plans: {', '.join(reference_names())})")
    return plans


def _content(path: Path) -> Plans | None:
    """The plans in a file; None where the file is damaged or of another version; it is then replaced."""
    try:
        return Plans.load(path)
    except PlansError:
        return None


def _name_doubtful_maps(raw: RawDataset, records: Mapping[str, MapRecord | None]) -> None:
    doubtful = sorted(case for case, record in records.items() if record is not None and record.is_doubtful)
    if doubtful:
        print(
            f"{raw.folder / 'districtsTr'}: check these district maps before training (reasons: "
            f"CASE.segmenter.json): {', '.join(doubtful)}"
        )


def _check_has_cases(raw: RawDataset) -> None:
    cases, leading = raw.cases("Tr"), raw.leading
    if not cases:
        folder = raw.folder / f"{leading.folder}Tr"
        raise DatasetError(f"{folder}: no files CASE{leading.suffix}{raw.file_ending}")
    missing = {
        case: "no district map in districtsTr; make it with ct2pet_segment_districts"
        for case in cases
        if raw.districts and not raw.file(DISTRICTS, case)
    }
    if len(missing) == len(cases):
        wanted = raw.path(DISTRICTS, cases[0], "Tr")
        raise DatasetError(
            f"{wanted}: no such file, and no district map of any other case; make them with ct2pet_segment_districts "
            f"-d {raw.name}"
        )
    if missing:
        raise CasesFailed(missing, some_done=False, what="cannot be used")
