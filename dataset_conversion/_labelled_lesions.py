"""Shared by the converters of labelled lesions: CTs around lesions, optionally PETs, each with a class, to a raw
dataset without input images.

Cases are NAME_0001 ..., patients P0001 ..., in an order independent of the names in the source. dataset.json
is written last. A second run writes all cases again and removes those of earlier runs: other lesions could have their
names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ct2pet import layout
from ct2pet.dataset.train_test_split import write_table
from ct2pet.errors import DatasetError, ImageError
from ct2pet.files import write_json
from ct2pet.imageio import read_volume, write_volume
from ct2pet.parallel import default_processes, map_cases
from ct2pet.volume import Box, Grid, Volume

_PROCESS_GIB = 1.5
_AROUND_MM = (15.0, 48.0, 48.0)  # Z, Y, X: margin of the CT around the lesion
_TEST_SHARE = 0.2
_BEYOND = 1  # voxels by which the region may go beyond the PET
_KINDS = ("targets", "CT", "lesions")  # folders of the files of a case
_CT = {"CT": {"kind": "ct", "unit": "HU"}}
_PET_AND_CT = {"PET": {"kind": "pet", "unit": "SUVbw g/ml"}, **_CT}


@dataclass(frozen=True)
class LabelledLesion:
    """``name`` and ``patient`` are the source's. ``series``: the folder of the CT. ``mask`` gives the lesion's mask
    (Z, Y, X) on the CT's grid, ``pet`` the PET in SUV on its own grid (None: the dataset has no PETs)."""

    name: str
    patient: str
    label: str
    series: Path
    mask: Callable[[Grid], np.ndarray]
    pet: Callable[[], Volume] | None = None


def write_lesions(
    folder: Path,
    lesions: Sequence[LabelledLesion],
    condition: tuple[str, Sequence[str]],
    *,
    num_processes: int | None,
    citation: Mapping[str, str],
) -> int:
    """Write the raw dataset ``folder`` (DatasetNNN_NAME): CT of the region around each lesion, PET where all lesions
    have one, the lesion's mask, and its class under the condition (its name and classes). A fifth of the patients of
    each class are test patients.

    Returns the number of cases. Raises DatasetError without cases, and CasesFailed, after writing the
    others, that names the cases that failed.
    """
    if not lesions:
        raise DatasetError(f"{folder.name}: no labelled lesions")
    prefix = folder.name.split("_", 1)[1]
    ordered = sorted(lesions, key=lambda one: (_digest(one.patient), one.name))
    names = dict.fromkeys(one.patient for one in ordered)
    patients = {name: f"P{number:04d}" for number, name in enumerate(names, start=1)}
    cases = {f"{prefix}_{number:04d}": lesion for number, lesion in enumerate(ordered, start=1)}
    tests = _test_patients(ordered)
    (folder / layout.DATASET).unlink(missing_ok=True)
    _remove_cases(folder, f"{prefix}_*")
    results = map_cases(
        _write_case,
        {case: (folder, case, "Ts" if one.patient in tests else "Tr", one) for case, one in cases.items()},
        num_processes=num_processes or default_processes(),
        memory_per_process_gib=_PROCESS_GIB,
        description="Converting",
    )
    rows = {
        case: {"case": case, "patient": patients[one.patient], condition[0]: one.label}
        for case, one in cases.items()
        if case in results.values
    }
    if not rows:
        results.raise_failures("could not be converted")
    _write_cases(folder, rows, ("case", "patient", condition[0]))
    description = {
        "name": prefix,
        "channel_names": {},
        "targets": _PET_AND_CT if all(one.pet is not None for one in lesions) else _CT,
        "conditions": {condition[0]: list(condition[1])},
        "numTraining": sum(cases[case].patient not in tests for case in rows),
        "file_ending": ".nii.gz",
        "districts": {},
        **citation,
    }
    write_json(folder / layout.DATASET, description)
    results.raise_failures("could not be converted", some_done=True)
    return len(rows)


def _remove_cases(folder: Path, pattern: str) -> None:
    for kind in _KINDS:
        for path in folder.glob(f"{kind}T[rs]/{pattern}.nii.gz"):
            path.unlink()


def _write_cases(folder: Path, rows: Mapping[str, Mapping[str, str]], columns: Sequence[str]) -> None:
    """Write cases.csv. Folds of other cases are removed: they could divide the cases of a patient."""
    table = folder / layout.CASES
    before = table.read_bytes() if table.is_file() else None
    write_table(table, rows, columns)
    if table.read_bytes() != before:
        (folder / layout.SPLITS).unlink(missing_ok=True)


def _test_patients(lesions: Sequence[LabelledLesion]) -> set[str]:
    """A fifth of the patients of each class, by the class of the first of their lesions."""
    of_class: dict[str, list[str]] = {}
    for patient in dict.fromkeys(one.patient for one in lesions):
        label = next(one.label for one in lesions if one.patient == patient)
        of_class.setdefault(label, []).append(patient)
    return {patient for own in of_class.values() for patient in own[: round(_TEST_SHARE * len(own))]}


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _write_case(folder: Path, case: str, split: str, lesion: LabelledLesion) -> None:
    try:
        ct = read_volume(lesion.series, "HU")
    except ImageError as error:
        raise ImageError(
            str(error).removeprefix(f"{lesion.series}: ")
        ) from None  # the folder name may contain the patient's name
    mask = lesion.mask(ct.grid)
    if not mask.any():
        raise ImageError("the lesion is outside the CT")
    box = _around(mask, ct.grid)
    hu = ct.with_array(np.rint(ct.array).astype(np.int16))
    label = Volume(mask.astype(np.uint8), ct.grid, "label")
    parts = {"targets" if lesion.pet is None else "CT": hu.crop(box), "lesions": label.crop(box)}
    if lesion.pet is not None:
        pet = lesion.pet()
        parts["targets"] = pet.crop(_covering(pet.grid, parts["lesions"].grid))
    try:
        for kind, volume in parts.items():
            write_volume(folder / f"{kind}{split}" / f"{case}.nii.gz", volume)
    except BaseException:
        _remove_cases(folder, case)
        raise


def _covering(grid: Grid, part: Grid) -> Box:
    """The voxels of ``grid`` that cover ``part``. Raises ImageError where it does not reach all of it."""
    index = np.c_[part.corners, np.ones(len(part.corners))] @ np.linalg.inv(grid.affine).T[:, :3]
    low, high = np.floor(index.min(axis=0))[::-1].astype(int), np.ceil(index.max(axis=0))[::-1].astype(int) + 1
    if (low < -_BEYOND).any() or (high > np.array(grid.shape) + _BEYOND).any():
        raise ImageError("the PET does not reach all of the region around the lesion")
    return Box(
        tuple(int(max(0, n)) for n in low),  # type: ignore[arg-type]
        tuple(int(min(n, most)) for n, most in zip(high, grid.shape)),  # type: ignore[arg-type]
    )


def _around(mask: np.ndarray, grid: Grid) -> Box:
    index = np.argwhere(mask)
    margin = [round(mm / step) for mm, step in zip(_AROUND_MM, grid.spacing)]
    low = [max(0, int(a) - m) for a, m in zip(index.min(axis=0), margin)]
    high = [min(n, int(b) + 1 + m) for b, m, n in zip(index.max(axis=0), margin, grid.shape)]
    return Box(tuple(low), tuple(high))  # type: ignore[arg-type]
