"""From a raw dataset to preprocessed data, as the commands ct2pet_plan_and_preprocess and its three parts do it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ct2pet.api.folders import PreprocessedDataset
from ct2pet.api.preprocessing import DEFAULT_PLANS, preprocess
from ct2pet.api.segmentation import doubtful_maps, segment_missing
from ct2pet.dataset import RawDataset, open_dataset, read_dataset_json, verify_dataset
from ct2pet.dataset.splits import load_or_create_splits
from ct2pet.errors import CasesFailed, DatasetError, PlansError
from ct2pet.files import copy_file
from ct2pet.fingerprint.extractor import extract_fingerprint as extract
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.parallel import default_processes
from ct2pet.paths import preprocessed_folder
from ct2pet.planning.planner import plan_experiment
from ct2pet.planning.plans import Plans
from ct2pet.planning.reference import reference_names, reference_plans

DEFAULT_MODELS = ("pix2pix",)


def plan_and_preprocess(
    dataset: str,
    *,
    plans_name: str = DEFAULT_PLANS,
    verify_dataset_integrity: bool = False,
    segmenter: str | None = None,
    weights: str | Path | None = None,
    gpu_memory_target: float | None = None,
    device: str | None = None,
    num_processes: int | None = None,
    models: Sequence[str] = DEFAULT_MODELS,
) -> Plans:
    """Segment what has no district map, fingerprint, plan and preprocess the raw dataset of an id ("001") or name;
    returns the plans.

    ``segmenter``, ``weights``: what makes the maps that are missing in districtsTr (default: what made those that are
    there, or rules). ``gpu_memory_target``: memory for training ``models`` in GiB (on a CPU: of RAM). ``plans_name``
    may be a reference (``paper_2503_15555``). Raises DatasetError for a dataset that breaks the rules and CasesFailed,
    naming them, where some cases could not be used.
    """
    if verify_dataset_integrity:
        verify(dataset, num_processes=num_processes)
    raw = open_dataset(dataset)
    segment_missing(raw, segmenter=segmenter, weights=weights, num_processes=num_processes, device=device)
    extract_fingerprint(dataset, num_processes=num_processes)
    plans = plan(dataset, plans_name=plans_name, gpu_memory_target=gpu_memory_target, device=device, models=models)
    preprocess(dataset, plans_name=plans_name, num_processes=num_processes)
    _name_doubtful_maps(raw)
    return plans


def verify(dataset: str, *, num_processes: int | None = None) -> None:
    """Look at every file of the raw dataset. Raises DatasetError that lists all problems."""
    raw = open_dataset(dataset)
    problems = verify_dataset(raw, num_processes=num_processes or default_processes())
    if problems:
        lines = [str(problem) for problem in problems]
        raise DatasetError("\n".join([f"{raw.folder}: {len(lines)} problem(s):", *lines]))
    print(f"{raw.name}: {len(raw.cases('Tr'))} training and {len(raw.cases('Ts'))} test cases, no problems")


def extract_fingerprint(dataset: str, *, num_processes: int | None = None) -> Fingerprint:
    """Measure the training cases and write dataset_fingerprint.json, splits_final.json and a copy of dataset.json."""
    raw = open_dataset(dataset)
    _check_has_cases(raw)
    preprocessed = PreprocessedDataset(preprocessed_folder() / raw.name)
    fingerprint = extract(raw, num_processes or default_processes())
    copy_file(raw.folder / "dataset.json", preprocessed.folder / "dataset.json")
    load_or_create_splits(preprocessed.splits_file, raw)
    fingerprint.save(preprocessed.fingerprint_file)
    return fingerprint


def plan(
    dataset: str,
    *,
    plans_name: str = DEFAULT_PLANS,
    gpu_memory_target: float | None = None,
    device: str | None = None,
    models: Sequence[str] = DEFAULT_MODELS,
) -> Plans:
    """Decide from the fingerprint and write the plans. ``plans_name`` of a reference writes that one's decisions.

    The plans serve every method; patch and batch leave memory for ``models``. ``device``: the kind that will train,
    which this machine need not have.
    """
    from ct2pet.api.device import choose_device
    from ct2pet.models import load_model, model_names  # loads torch, which measuring cases does without

    for name in models:
        load_model(name)  # an unknown name is told before any work
    preprocessed = PreprocessedDataset.find(dataset)
    path = preprocessed.plans_file(plans_name)
    fingerprint = Fingerprint.load(preprocessed.fingerprint_file)
    districts = dict(read_dataset_json(preprocessed.folder).districts)
    needs = {name: load_model(name).requirements for name in model_names()}
    if plans_name in reference_names():
        plans = reference_plans(plans_name, fingerprint, districts, needs)
    else:
        plans = plan_experiment(
            fingerprint,
            districts,
            needs,
            plans_name=plans_name,
            device=device or choose_device(None),
            memory_target_gib=gpu_memory_target,
            sized_for=models,
        )
    if path.exists() and _content(path) != plans:
        print(f"{path}: replaced by new plans", file=sys.stderr)
    plans.save(path)
    return plans


def _content(path: Path) -> Plans | None:
    """The plans in a file; None where they are damaged or of another version, which planning anew is to mend."""
    try:
        return Plans.load(path)
    except PlansError:
        return None


def _name_doubtful_maps(raw: RawDataset) -> None:
    doubtful = doubtful_maps({case: raw.path("districts", case, "Tr") for case in raw.cases("Tr")})
    if doubtful:
        print(
            f"{raw.folder / 'districtsTr'}: look at these district maps before you train (CASE.segmenter.json says "
            f"why): {', '.join(doubtful)}"
        )


def _check_has_cases(raw: RawDataset) -> None:
    if not raw.cases("Tr"):
        raise DatasetError(f"{raw.folder / 'imagesTr'}: no CASE_0000{raw.file_ending} in it")
    missing = {
        case: "no district map in districtsTr; ct2pet_segment_districts makes it"
        for case in raw.cases("Tr")
        if not raw.district_map(case, "Tr")
    }
    if len(missing) == len(raw.cases("Tr")):
        wanted = raw.path("districts", raw.cases("Tr")[0], "Tr")
        raise DatasetError(
            f"{wanted}: no such district map, nor one of another case; make them with ct2pet_segment_districts "
            f"-d {raw.name}"
        )
    if missing:
        raise CasesFailed(missing, some_done=False, what="cannot be used")
