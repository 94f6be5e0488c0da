"""Signs that the values of an image do not fit its kind. Every problem is a sentence."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

_LARGEST_SUV = 200.0  # exceeded by at most 1% of the voxels; a hot bladder is smaller, values in Bq/ml are thousands
_LARGEST_NO_SUV = 0.1  # the tissue with the highest uptake of every body part is above this
_LARGEST_VOXEL_SUV, _LARGEST_HU = 1e4, 1e5  # larger values are damaged voxels
_AIR_HU = -500.0  # a CT has air below this, a PET has no such values
_SMALLEST_SUV = -1.0  # some reconstructions have slightly negative noise


def number_problems(array: np.ndarray) -> list[str]:
    """Voxels that are NaN or infinite."""
    if array.dtype.kind != "f":
        return []
    wrong = array.size - sum(np.count_nonzero(np.isfinite(part)) for part in array)
    number = "1 voxel is" if wrong == 1 else f"{wrong} voxels are"
    return [f"{number} NaN or infinite: convert the image again, or replace these values"] if wrong else []


def ct_problems(ct_hu: np.ndarray) -> list[str]:
    """Signs that a CT is not in HU: air or fat (below -20 HU) and soft tissue (-200 to 300 HU) are in every one."""
    low, high = ct_hu.min(), ct_hu.max()
    soft = sum(np.count_nonzero((part > -200) & (part < 300)) for part in ct_hu) / ct_hu.size
    if max(-float(low), float(high)) > _LARGEST_HU:
        return [f"its values, {low:g} to {high:g}, are outside the range of HU: voxels are damaged"]
    if low < -20 and soft >= 0.01:
        return []
    return [f"its values, {low:g} to {high:g}, are not a CT in HU (air -1000, water 0): rescale it"]


def pet_problems(pet_suv: np.ndarray) -> list[str]:
    """Signs that a PET is not in SUV: values in the range of Bq/ml, much too small or clearly negative values, or only
    zeros."""
    low, high = float(pet_suv.min()), float(pet_suv.max())
    if high <= 0:
        return ["no voxel is above zero: it contains no PET"]
    if low < _AIR_HU:
        return [f"its values, {low:g} to {high:g}, look like a CT in HU: a PET in SUV (g/ml) is expected here"]
    if high < _LARGEST_NO_SUV:
        return [f"its largest value is {high:g}, too small for SUV (g/ml)"]
    problems = []
    if low < _SMALLEST_SUV:
        problems.append(f"its smallest value is {low:g}: SUVs are not negative")
    return problems + unit_problems(pet_suv)


def unit_problems(pet_suv: np.ndarray) -> list[str]:
    """Values of a PET in the range of Bq/ml. A few hot voxels alone are not enough."""
    high = float(pet_suv.max())
    if high > _LARGEST_SUV and np.percentile(pet_suv, 99) > _LARGEST_SUV:
        return [f"its values reach {high:g}: this looks like Bq/ml; convert it to SUV (g/ml)"]
    if high > _LARGEST_VOXEL_SUV:
        return [f"its largest value is {high:g}, outside the range of SUV: voxels are damaged"]
    return []


def _values(array: np.ndarray) -> list[float]:
    if array.dtype.kind == "u" and array.itemsize < 4:
        return np.flatnonzero(np.bincount(array.ravel())).tolist()  # far faster than sorting
    return np.unique(array).tolist()


def label_problems(array: np.ndarray, allowed: Collection[int] | None, *, needs_one: bool = False) -> list[str]:
    """Signs that a map does not contain labels, or not those of dataset.json (``allowed``; None: any)."""
    found: set[float] = set().union(*(_values(part) for part in array))
    if any(label < 0 or label != int(label) for label in found):
        return ["it contains values that are not labels (whole numbers from 0 on)"]
    unknown = sorted(int(label) for label in found - {0, *(allowed or found)})
    if unknown:
        return [f"the label(s) {', '.join(map(str, unknown))} are not in dataset.json"]
    return ["no voxel belongs to a district"] if needs_one and found <= {0} else []
