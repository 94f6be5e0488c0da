"""Are the images of one case what they should be? Every problem is a sentence; none stops the search for others."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ct2pet.dataset.raw import RawDataset
from ct2pet.errors import ImageError
from ct2pet.imageio import read_volume
from ct2pet.volume import Grid, Volume

LEAST_OVERLAP = 0.25  # of the smaller field of view; less means another patient or a lost position
_LARGEST_SUV = 200.0  # that a hundredth of the voxels may exceed; a hot bladder is smaller, Bq/ml are thousands
_LARGEST_NO_SUV = 0.1  # the warmest tissue of any part of the body is above
_SMALLEST_SUV = -1.0  # some reconstructions leave slightly negative noise


@dataclass
class CaseContents:
    """``problems``: (file, message) pairs. ``digests``: equal for images of equal values; by images and targets."""

    problems: list[tuple[Path, str]] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)


def check_case(dataset: RawDataset, case: str, split: str) -> CaseContents:
    """Read every image of a case that exists and look at its values and its place in space."""
    contents = CaseContents()
    labels = {"districts": dataset.districts.values(), "organs": _organ_labels(dataset), "lesions": None}
    ct_grid = None
    for kind in ("images", "targets", *labels):
        path = dataset.path(kind, case, split)
        if not path.is_file():
            continue
        try:
            volume = read_volume(path)
        except ImageError as error:
            contents.problems.append((path, str(error).removeprefix(f"{path}: ")))
            continue
        if kind in ("images", "targets"):
            contents.digests[kind] = _digest(volume.array)
        messages = _value_problems(kind, volume.array, labels.get(kind))
        if kind == "images":
            ct_grid = volume.grid
        elif ct_grid is not None:
            messages += _place_problems(volume, ct_grid)
        contents.problems += [(path, message) for message in messages]
    return contents


def _value_problems(kind: str, array: np.ndarray, labels: Collection[int] | None) -> list[str]:
    broken = number_problems(array)
    if broken:
        return broken
    if kind == "images":
        return ct_problems(array)
    if kind == "targets":
        return pet_problems(array)
    return label_problems(array, labels, needs_one=kind == "districts")


def number_problems(array: np.ndarray) -> list[str]:
    """Voxels that are not a number or infinite."""
    if array.dtype.kind != "f":
        return []
    wrong = array.size - sum(np.count_nonzero(np.isfinite(part)) for part in array)
    return [f"{wrong} voxels are not a number or infinite"] if wrong else []


def ct_problems(ct_hu: np.ndarray) -> list[str]:
    """Signs that a CT is not in HU: air or fat (below -20 HU) and soft tissue (-200 to 300 HU) are in every one."""
    low, high = ct_hu.min(), ct_hu.max()
    soft = sum(np.count_nonzero((part > -200) & (part < 300)) for part in ct_hu) / ct_hu.size
    if low < -20 and soft >= 0.01:
        return []
    return [f"its values, {low:g} to {high:g}, are not a CT in HU (air -1000, water 0): rescale it"]


def pet_problems(pet_suv: np.ndarray) -> list[str]:
    """Signs that a PET is not in SUV: values like Bq/ml, much too small or clearly negative ones, or none."""
    low, high = float(pet_suv.min()), float(pet_suv.max())
    if high <= 0:
        return ["no voxel is above zero: there is no PET in it"]
    if high < _LARGEST_NO_SUV:
        return [f"its largest value is {high:g}: this is no SUV (g/ml)"]
    problems = []
    if low < _SMALLEST_SUV:
        problems.append(f"its smallest value is {low:g}: SUV are not negative")
    return problems + unit_problems(pet_suv)


def unit_problems(pet_suv: np.ndarray) -> list[str]:
    """Values of a PET the size of Bq/ml. A few hot voxels alone do not make it so."""
    high = float(pet_suv.max())
    if high > _LARGEST_SUV and np.percentile(pet_suv, 99) > _LARGEST_SUV:
        return [f"its values reach {high:g}: this looks like Bq/ml; convert it to SUV (g/ml)"]
    return []


def label_problems(array: np.ndarray, allowed: Collection[int] | None, *, needs_one: bool = False) -> list[str]:
    """Signs that a map does not hold labels, or not those that dataset.json names (``allowed``; None: any)."""
    found: set[float] = set().union(*(np.unique(part).tolist() for part in array))
    if any(label < 0 or label != int(label) for label in found):
        return ["it holds values that are no labels (whole numbers from 0 on)"]
    unknown = sorted(int(label) for label in found - {0, *(allowed or found)})
    if unknown:
        return [f"the label(s) {', '.join(map(str, unknown))} are not in dataset.json"]
    return ["no voxel belongs to a district"] if needs_one and found <= {0} else []


def _place_problems(volume: Volume, ct_grid: Grid) -> list[str]:
    overlap = max(volume.grid.overlap(ct_grid), ct_grid.overlap(volume.grid))
    if overlap >= LEAST_OVERLAP:
        return []
    return [f"it overlaps the CT in space by {100 * overlap:.0f}% only: another patient, or a lost position"]


def _organ_labels(dataset: RawDataset) -> Collection[int] | None:
    return dataset.description.organs.values() or None


def _digest(array: np.ndarray) -> str:
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    for part in array:  # slice by slice, so that no copy of the whole is made
        digest.update(np.ascontiguousarray(part, np.float32).data)
    return digest.hexdigest()
