"""All cases of a dataset into the stores of all configurations; interrupted and started again, it continues."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ct2pet.dataset.plausibility import ct_problems, number_problems, unit_problems
from ct2pet.errors import CasesFailed, DatasetError, ImageError, PlansError
from ct2pet.files import remove_partial_files
from ct2pet.imageio import count_voxels, read_volume
from ct2pet.parallel import map_cases
from ct2pet.planning.plans import Configuration, Plans
from ct2pet.preprocessing.case_on_grid import case_on_plan_grid
from ct2pet.preprocessing.storage import FORMAT_VERSION, DistrictStore
from ct2pet.volume import Volume

if TYPE_CHECKING:
    from ct2pet.dataset import RawDataset

_DECISIONS = ("labels", "spacing", "ct_normalization", "pet_normalization", "masking")
_GIB = 2.0**30
Sources = dict[str, Path | None]


def store_folder(folder: Path, plans: Plans, configuration: str) -> Path:
    """Where the store of a configuration lies in the dataset's preprocessed ``folder``."""
    return Path(folder) / f"{plans.plans_name}_{configuration}"


def preprocess_dataset(dataset: RawDataset, plans: Plans, folder: Path, num_processes: int = 1) -> None:
    """Write all training cases of ``dataset`` into one store per configuration, under ``folder``.

    Finished cases are skipped while neither their raw files nor the plans' decisions for them have changed. Raises
    CasesFailed, naming each case and its reason, when all other cases are done.
    """
    stores = {name: DistrictStore(store_folder(folder, plans, name)) for name in plans.configurations}
    sources = {case: case_sources(dataset, case) for case in dataset.cases("Tr")}
    keys = {case: _keys(plans, files) for case, files in sources.items()}
    for name, store in stores.items():
        remove_partial_files(store.folder)
        for case in store.recorded_cases():  # all that is outdated goes first: an interruption must not leave a mix
            if case not in keys or not store.is_done(case, keys[case][name]):
                store.discard(case)
    work = {}
    for case, files in sources.items():
        missing = [name for name, store in stores.items() if not store.is_done(case, keys[case][name])]
        if missing:
            work[case] = (case, files, plans, {name: (stores[name], keys[case][name]) for name in missing})
    memory_gib = max((_memory_gib(arguments[1]) for arguments in work.values()), default=0.0)
    results = map_cases(
        preprocess_case,
        work,
        num_processes=num_processes,
        memory_per_process_gib=memory_gib,
        description="Preprocessing",
    )
    if results.failures:
        raise CasesFailed(
            results.failures,
            some_done=any(store.recorded_cases() for store in stores.values()),
            what="could not be preprocessed",
            tracebacks=results.tracebacks,
        )


def preprocess_case(case: str, sources: Sources, plans: Plans, stores: dict[str, tuple[DistrictStore, str]]) -> None:
    """Write one case into some ``stores`` ({configuration: (store, key)}). The raw files are read once."""
    with ThreadPoolExecutor(len(sources)) as pool:  # decompression, most of the reading, leaves the interpreter's lock
        volumes = dict(zip(sources, pool.map(_read, sources, sources.values())))
    ct, pet, district_map = volumes["ct"], volumes["pet"], volumes["district_map"]
    if ct is None or pet is None or district_map is None:
        missing = next(name for name in ("ct", "pet", "district_map") if volumes[name] is None)
        raise DatasetError(f"there is no {missing.replace('_', ' ')} of this case")
    _check_values(sources["ct"], number_problems(ct.array) or ct_problems(ct.array))
    _check_values(sources["pet"], number_problems(pet.array) or unit_problems(pet.array))
    for name, (store, key) in stores.items():
        configuration = plans.configuration(name)
        prepared = case_on_plan_grid(ct, pet, district_map, configuration, volumes["lesions"])
        store.write(case, prepared, key, decisions_of(configuration))


def _check_values(path: Path | None, problems: list[str]) -> None:
    """What is not in HU or SUV would be stored without a word, and break a training days later."""
    if problems:
        raise ImageError(f"{path}: {problems[0]}")


def case_sources(dataset: RawDataset, case: str) -> Sources:
    """The raw files of a training case by role; None where there is none."""
    return {
        "ct": dataset.image(case, "Tr"),
        "pet": dataset.target(case, "Tr"),
        "district_map": dataset.district_map(case, "Tr"),
        "lesions": dataset.lesions(case, "Tr"),
    }


def decisions_of(configuration: Configuration) -> dict[str, Any]:
    """Those decisions of a configuration that change what is stored."""
    content = dataclasses.asdict(configuration)
    return {name: content[name] for name in _DECISIONS}


def check_store(store: DistrictStore, configuration: Configuration) -> None:
    """Raises PlansError where a stored case was made with other decisions: the plans were edited since."""
    for case in store.recorded_cases():
        stored, wanted = store.record(case)["decisions"], decisions_of(configuration)
        changed = [name for name in _DECISIONS if stored[name] != wanted[name]]
        if changed:
            what = ", ".join(changed)
            raise PlansError(f"{store.folder}: {case} was stored with another {what} than the plans': preprocess again")


def _keys(plans: Plans, sources: Sources) -> dict[str, str]:
    """By configuration: a digest of the raw files' sizes and times and of the decisions."""
    files = {}
    for role, path in sources.items():
        if path is not None:
            status = path.stat()
            files[role] = [path.name, status.st_size, status.st_mtime_ns]
    keys = {}
    for name, configuration in plans.configurations.items():
        content = json.dumps([FORMAT_VERSION, files, decisions_of(configuration)], sort_keys=True)
        keys[name] = hashlib.sha256(content.encode()).hexdigest()
    return keys


def _read(role: str, path: Path | None) -> Volume | None:
    return None if path is None else read_volume(path, unit={"ct": "HU", "pet": "SUV"}.get(role, "label"))


def _memory_gib(sources: Sources) -> float:
    """What one process needs for a case: the volumes as read, and the copies on the plan's grid."""
    return 0.4 + (4 * sum(map(count_voxels, sources.values())) + 24 * count_voxels(sources["pet"])) / _GIB
