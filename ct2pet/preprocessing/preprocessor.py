"""Writes all cases of a dataset into the stores of all configurations; an interrupted run continues."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ct2pet.dataset.contents import place_problems
from ct2pet.dataset.fields import DISTRICTS, LESIONS, Field, Fields
from ct2pet.districts.whole_body import whole_body_map
from ct2pet.errors import DatasetError, ImageError, PlansError
from ct2pet.files import remove_partial_files
from ct2pet.imageio import count_voxels, read_volume
from ct2pet.locks import folder_lock
from ct2pet.outputs import check_output_folder
from ct2pet.parallel import map_cases
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.case_on_grid import prepare_case
from ct2pet.preprocessing.case_record import CaseRecord
from ct2pet.preprocessing.storage import FORMAT_VERSION, DistrictStore, check_names
from ct2pet.volume import Volume

if TYPE_CHECKING:
    from ct2pet.dataset import RawDataset

_DECISIONS = ("labels", "spacing", "normalization", "masking")
_GIB = 2.0**30


def store_folder(folder: Path, plans: Plans, configuration: str) -> Path:
    """The folder of a configuration's store in the dataset's preprocessed ``folder``."""
    return Path(folder) / f"{plans.plans_name}_{configuration}"


def preprocess_dataset(dataset: RawDataset, plans: Plans, folder: Path, num_processes: int = 1) -> int:
    """Write all training cases of ``dataset`` into one store per configuration, under ``folder``; returns how many were
    not finished before.

    Finished cases are skipped unless their raw files or the relevant parts of the plans have changed. Raises
    CasesFailed, naming each case and its reason, after all other cases, and then DatasetError for a target label
    without a training case; DatasetError where two cases would have the same file in a store, and PlansError where the
    plans are for other fields, before any work; and Ct2PetError where another process preprocesses the same.
    """
    _check_fields(dataset, plans, folder)
    check_names({*dataset.cases("Tr")})
    stores = {name: DistrictStore(store_folder(folder, plans, name)) for name in plans.configurations}
    for store in stores.values():
        check_output_folder(store.folder)
    with contextlib.ExitStack() as locks:
        for store in stores.values():
            locks.enter_context(folder_lock(store.folder, "a preprocessing"))
        return _fill(stores, dataset, plans, num_processes)


def _fill(stores: Mapping[str, DistrictStore], dataset: RawDataset, plans: Plans, num_processes: int) -> int:
    """Write the cases that are missing in a store; their number."""
    sources = {case: case_sources(dataset, case, plans) for case in dataset.cases("Tr")}
    keys = {case: _keys(plans, found) for case, found in sources.items()}
    for name, store in stores.items():
        remove_partial_files(store.folder)
        for case in (
            store.recorded_cases()
        ):  # outdated cases are removed first, so that an interruption does not leave a mixture
            if case not in keys or not store.is_done(case, keys[case][name]):
                store.discard(case)
    work = {}
    for case, found in sources.items():
        missing = [name for name, store in stores.items() if not store.is_done(case, keys[case][name])]
        if missing:
            work[case] = (case, found, plans, {name: (stores[name], keys[case][name]) for name in missing})
    reference = plans.all_fields.targets[0].name
    memory_gib = max((_memory_gib(arguments[1].files, reference) for arguments in work.values()), default=0.0)
    results = map_cases(
        preprocess_case,
        work,
        num_processes=num_processes,
        memory_per_process_gib=memory_gib,
        description="Preprocessing",
    )
    earlier = any(store.recorded_cases() for store in stores.values())
    results.raise_failures("could not be preprocessed", some_done=earlier)
    _check_labels_occur(dataset, plans, stores.values())
    return len(work)


def _check_labels_occur(dataset: RawDataset, plans: Plans, stores: Iterable[DistrictStore]) -> None:
    """Raise DatasetError where a target label is in no stored case: a network could not learn it."""
    for one in plans.all_fields.label_maps:
        found = {
            label for store in stores for case in store.cases for label in store.record(case).labels_found[one.name]
        }
        missing = [name for name, label in one.labels.items() if label not in found]
        if missing:
            raise DatasetError(
                f"{dataset.folder / f'{one.folder}Tr'}: no training case has {', '.join(missing)}; remove it from "
                f"{one.name} in dataset.json and renumber the others 1, 2, ..., or add a case that has it"
            )


def _check_fields(dataset: RawDataset, plans: Plans, folder: Path) -> None:
    own = {one.name: one for one in dataset.fields}
    for one in plans.all_fields:
        there = own.get(one.name)
        same = ("role", "kind", "folder", "suffix", "labels")
        if there is None or any(getattr(one, name) != getattr(there, name) for name in same):
            path = Path(folder) / f"{plans.plans_name}.json"
            raise PlansError(f"{path}: its field {one.name} differs from dataset.json; plan again")


@dataclass(frozen=True)
class CaseSources:
    """The sources of a training case: its raw ``files`` by field (None where missing), its class in each condition, and
    the ``regions`` among its fields: lesions and districts."""

    files: Mapping[str, Path | None]
    conditions: Mapping[str, str]
    regions: Sequence[Field] = ()


def preprocess_case(
    case: str, sources: CaseSources, plans: Plans, stores: dict[str, tuple[DistrictStore, str]]
) -> None:
    """Write one case into some ``stores`` ({configuration: (store, key)}). The raw files are read once."""
    fields, files = plans.all_fields, sources.files
    volumes = _read_all(files)
    leading = fields.inputs[0] if fields.inputs else fields.targets[0]
    for one in (*fields.inputs, *fields.targets):
        if volumes[one.name] is None:
            raise DatasetError(f"no {one.name} of this case")
    for one in (*fields.inputs, *fields.targets, *sources.regions):
        volume = volumes[one.name]
        if volume is None:
            continue
        problems = one.problems(volume.array) or place_problems(volume.grid, volumes[leading.name].grid, leading.name)
        if problems:  # they would be stored without an error and break a training days later
            raise ImageError(f"{files[one.name]}: {problems[0]}")
    district_map = _district_map(plans, volumes)
    images = {one.name: volumes[one.name] for one in (*fields.inputs, *fields.targets)}
    for name, (store, key) in stores.items():
        configuration = plans.configuration(name)
        prepared = prepare_case(images, district_map, configuration, fields, volumes[LESIONS])
        store.write(case, prepared, key, decisions_of(configuration), sources.conditions)


def _read_all(files: Mapping[str, Path | None]) -> dict[str, Any]:
    """The volumes of the files; None for a missing file."""
    with ThreadPoolExecutor(
        len(files)
    ) as pool:  # decompression, most of the reading time, releases the interpreter's lock
        return dict(zip(files, pool.map(_read, files.values())))


def _read(path: Path | None) -> Volume | None:
    return None if path is None else read_volume(path)


def _district_map(plans: Plans, volumes: dict[str, Any]) -> Volume:
    if plans.districts:
        if volumes[DISTRICTS] is None:
            raise DatasetError("no district map of this case")
        return volumes[DISTRICTS]
    fields = plans.all_fields
    body = None if plans.body_mask is None else fields[plans.body_mask]
    image = body or (*fields.inputs, *fields.targets)[0]
    return whole_body_map(volumes[image.name], body)


def case_sources(dataset: RawDataset, case: str, plans: Plans) -> CaseSources:
    """The sources of a training case."""
    fields = dataset.fields
    regions = [fields[LESIONS], *([fields[DISTRICTS]] if plans.districts else [])]
    files = dataset.files([*plans.all_fields.inputs, *plans.all_fields.targets, *regions], case)
    return CaseSources(files, {one.name: dataset.classes(one.name)[case] for one in fields.conditions}, regions)


def decisions_of(configuration: Configuration) -> dict[str, Any]:
    """The parameters of a configuration that change the stored data, so without the additional windows of networks. The
    default scope of a window is omitted, so that cases stored by older versions are not made again."""
    content = dataclasses.asdict(configuration)
    for plan in content["normalization"].values():
        del plan["windows"]
        if plan["scope"] == "dataset":
            del plan["scope"]
    return {name: content[name] for name in _DECISIONS}


def check_store(store: DistrictStore, configuration: Configuration, fields: Fields) -> None:
    """Raises PlansError where a stored case was made with other plans. Raises DatasetError where a file of a case was
    changed, or has other ``fields``."""
    wanted = decisions_of(configuration)
    for case in store.recorded_cases():
        store.check_files(case)
        record = store.record(case)
        changed = [name for name in _DECISIONS if record.decisions.get(name) != wanted[name]]
        if changed:
            what = ", ".join(changed)
            raise PlansError(
                f"{store.folder}: {case} was stored with another {what} than that of the plans; preprocess again"
            )
        if record.present and not _has_fields(record, fields):
            raise DatasetError(
                f"{store.folder / case}.json: contains other fields or classes than the plans; preprocess again"
            )


def _has_fields(record: CaseRecord, fields: Fields) -> bool:
    stored, planned = [*record.images, *record.labels], [*fields.images, *fields.label_maps]
    known = all(record.conditions.get(one.name) in one.labels for one in fields.conditions)
    return known and sorted(stored) == sorted(one.name for one in planned)


def _keys(plans: Plans, sources: CaseSources) -> dict[str, str]:
    """By configuration: a digest of the raw files' sizes and times and of the decisions."""
    files: dict[str, Any] = {}
    for name, path in sources.files.items():
        if path is not None:
            status = path.stat()
            files[name] = [path.name, status.st_size, status.st_mtime_ns]
    common = [plans.all_fields.to_json(), dict(sources.conditions), plans.body_mask if not plans.districts else None]
    keys = {}
    for name, configuration in plans.configurations.items():
        content = json.dumps([FORMAT_VERSION, files, *common, decisions_of(configuration)], sort_keys=True)
        keys[name] = hashlib.sha256(content.encode()).hexdigest()
    return keys


def _memory_gib(files: Mapping[str, Path | None], reference: str) -> float:
    """The memory that one process needs for a case: the volumes as read, and the copies on the plan's grid over the
    field ``reference``."""
    return 0.4 + (4 * sum(map(count_voxels, files.values())) + 24 * count_voxels(files[reference])) / _GIB
