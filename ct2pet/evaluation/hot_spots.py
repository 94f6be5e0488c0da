"""Counts the hot spots of a PET that are no lesion."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects, label

from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.lesions import NEIGHBOURS
from ct2pet.evaluation.results import HotSpots


def hot_spots(pet_suv: np.ndarray, real_suv: np.ndarray, body_mask: np.ndarray, lesion_mask: np.ndarray) -> HotSpots:
    """The hot spots of ``pet_suv`` inside the body at each threshold (see detection): how many touch no lesion, and how
    many of these are places where the real PET nowhere reaches the threshold. All arrays Z, Y, X."""
    without_lesion = [0] * len(THRESHOLDS_SUV)
    false = [0] * len(THRESHOLDS_SUV)
    hot = pet_suv >= THRESHOLDS_SUV[0]
    hot &= body_mask
    if not hot.any():
        return HotSpots(without_lesion, false)
    spots = label(hot, NEIGHBOURS)[0]
    for number, box in enumerate(find_objects(spots), start=1):  # hotter spots lie inside those of the first threshold
        pet = np.where(spots[box] == number, pet_suv[box], 0)
        for level, threshold in enumerate(THRESHOLDS_SUV):
            inner, count = label(pet >= threshold, NEIGHBOURS)
            if not count:
                break
            seen = inner[real_suv[box] >= threshold]
            marked = inner[lesion_mask[box]]
            without_lesion[level] += count - _different(marked)
            false[level] += count - _different(np.concatenate([marked, seen]))
    return HotSpots(without_lesion, false)


def _different(numbers: np.ndarray) -> int:
    """How many different numbers above 0."""
    return int(np.count_nonzero(np.bincount(numbers)[1:]))
