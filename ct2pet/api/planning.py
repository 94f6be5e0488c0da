"""From a raw dataset to preprocessed data, as the commands ct2pet_plan_and_preprocess and its three parts do it."""

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
from ct2pet.planning.plans import Plans
from ct2pet.planning.reference import reference_names, reference_plans
from ct2pet.preprocessing import preprocess_dataset
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.sharing.box import BOX, box_plans

DEFAULT_MODEL = "pix2pix"


@dataclass(frozen=True)
class PlanningOptions:
    """``plans_name``: of the plans; that of a reference (``paper_2503_15555``) writes that one's decisions, ``box``
    plans that fit the model in the box. ``gpu_memory_target``: memory for training ``models`` in GiB (on a CPU: of RAM;
    models by default pix2pix, or all where that cannot take the dataset's fields). ``device``: the kind that will
    train, which this machine need not have. ``target_spacing``: Z, Y, X in mm, in place of the median of the cases."""

    plans_name: str = DEFAULT_PLANS
    gpu_memory_target: float | None = None
    device: str | None = None
    models: Sequence[str] | None = None
    target_spacing: Sequence[float] | None = None

    @property
    def request(self) -> PlanRequest:
        """What the planner is asked for."""
        return PlanRequest(self.plans_name, self.device or "", self.gpu_memory_target, self.models, self.target_spacing)


@dataclass(frozen=True)
class PlanAndPreprocessOptions(PlanningOptions):
    """Those of planning, and: ``segmenter``, ``weights``: what makes the maps that are missing in districtsTr (default:
    what made those that are there, or rules). ``configurations``: preprocess only these."""

    verify_dataset_integrity: bool = False
    segmenter: str | None = None
    weights: str | Path | None = None
    configurations: Sequence[str] | None = None
    num_processes: int | None = None


def plan_and_preprocess(dataset: str | int, options: PlanAndPreprocessOptions | None = None, **changes: Any) -> Plans:
    """Segment what has no district map, fingerprint, plan and preprocess the raw dataset of an id ("001") or name;
    returns the plans.

    ``changes`` are PlanAndPreprocessOptions by name. Raises DatasetError for a dataset that breaks the rules and
    CasesFailed, naming them, where some cases could not be used.
    """
    options = replace(options or PlanAndPreprocessOptions(), **changes)
    request, processes = options.request, options.num_processes
    raw = open_dataset(dataset)
    check_output_folder(preprocessed_folder() / raw.name)
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
    preprocessed = PreprocessedDataset(preprocessed_folder() / raw.name)
    fingerprint = _extract(raw, preprocessed, processes, records)
    plans = _plan(preprocessed, raw.description, fingerprint, request)
    chosen = {name: plans.configuration(name) for name in options.configurations or plans.configurations}
    chosen_plans = replace(plans, configurations=chosen)
    preprocess_dataset(raw, chosen_plans, preprocessed.folder, processes or default_processes())
    _name_doubtful_maps(raw, records)
    return plans


def verify(dataset: str | int, *, num_processes: int | None = None) -> None:
    """Look at every file of the raw dataset. Raises DatasetError that lists all problems."""
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
    """Decide from the fingerprint and write the plans, which serve every method that can take the dataset's fields.

    ``changes`` are PlanningOptions by name. Raises PlansError where no training fits into the memory.
    """
    options = replace(options or PlanningOptions(), **changes)
    request = options.request
    preprocessed = PreprocessedDataset.find(str(dataset))
    check_output_folder(preprocessed.folder)
    fingerprint = Fingerprint.load(preprocessed.fingerprint_file)
    return _plan(preprocessed, read_dataset_json(preprocessed.folder), fingerprint, request)


def _plan(
    preprocessed: PreprocessedDataset, description: Description, fingerprint: Fingerprint, request: PlanRequest
) -> Plans:
    from ct2pet.api.device import choose_device
    from ct2pet.models import load_model, model_names  # loads torch, which measuring cases does without

    for name in request.sized_for or ():
        load_model(name)  # an unknown name is told before any work
    path = preprocessed.plans_file(request.plans_name)
    needs = {name: load_model(name).requirements for name in model_names()}
    if request.target_spacing is not None and request.plans_name in (BOX, *reference_names()):
        raise PlansError(f"the plans {request.plans_name} fix their spacing; choose another name (-p)")
    if request.plans_name in reference_names():
        plans = reference_plans(request.plans_name, fingerprint, description, needs)
    else:
        if request.sized_for is None and needs[DEFAULT_MODEL].problem(description) is None:
            request = replace(request, sized_for=(DEFAULT_MODEL,))
        request = replace(request, device=request.device or choose_device(None))
        if request.plans_name == BOX:
            plans = plans_like(box_plans(), fingerprint, description, needs, request)
        else:
            plans = plan_experiment(fingerprint, description, needs, request)
    replaced = path.exists() and _content(path) != plans
    plans.save(path)
    if replaced:
        print(f"{path}: replaced by new plans", file=sys.stderr)
    return plans


def _content(path: Path) -> Plans | None:
    """The plans in a file; None where they are damaged or of another version, which planning anew is to mend."""
    try:
        return Plans.load(path)
    except PlansError:
        return None


def _name_doubtful_maps(raw: RawDataset, records: Mapping[str, MapRecord | None]) -> None:
    doubtful = sorted(case for case, record in records.items() if record is not None and record.is_doubtful)
    if doubtful:
        print(
            f"{raw.folder / 'districtsTr'}: look at these district maps before you train (CASE.segmenter.json says "
            f"why): {', '.join(doubtful)}"
        )


def _check_has_cases(raw: RawDataset) -> None:
    cases, leading = raw.cases("Tr"), raw.leading
    if not cases:
        folder = raw.folder / f"{leading.folder}Tr"
        raise DatasetError(f"{folder}: no CASE{leading.suffix}{raw.file_ending} in it")
    missing = {
        case: "no district map in districtsTr; ct2pet_segment_districts makes it"
        for case in cases
        if raw.districts and not raw.file(DISTRICTS, case)
    }
    if len(missing) == len(cases):
        wanted = raw.path(DISTRICTS, cases[0], "Tr")
        raise DatasetError(
            f"{wanted}: no such district map, nor one of another case; make them with ct2pet_segment_districts "
            f"-d {raw.name}"
        )
    if missing:
        raise CasesFailed(missing, some_done=False, what="cannot be used")
