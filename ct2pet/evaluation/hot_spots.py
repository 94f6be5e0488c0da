"""Counts the hot spots of a PET outside lesions."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects, label

from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.lesions import NEIGHBOURS
from ct2pet.evaluation.results import HotSpots

LEAST_ML = 1.0  # the sphere of SUVpeak; smaller spots are mostly noise, see benchmarks/hot_spots.py


def hot_spots(
    pet_suv: np.ndarray, real_suv: np.ndarray, body_mask: np.ndarray, lesion_mask: np.ndarray, voxel_ml: float
) -> HotSpots:
    """The hot spots of ``pet_suv`` inside the body at each threshold (see detection): the number of those of at least
    LEAST_ML that touch no lesion, and the number of these where the real PET is below the threshold. All arrays Z, Y,
    X."""
    without_lesion = [0] * len(THRESHOLDS_SUV)
    false = [0] * len(THRESHOLDS_SUV)
    hot = pet_suv >= THRESHOLDS_SUV[0]
    hot &= body_mask
    if not hot.any():
        return HotSpots(without_lesion, false)
    spots = label(hot, NEIGHBOURS)[0]
    for number, box in enumerate(find_objects(spots), start=1):  # hotter spots are inside those of the first threshold
        pet = np.where(spots[box] == number, pet_suv[box], 0)
        for level, threshold in enumerate(THRESHOLDS_SUV):
            inner, count = label(pet >= threshold, NEIGHBOURS)
            left = np.bincount(inner.ravel(), minlength=count + 1) * voxel_ml >= LEAST_ML
            left[0] = False
            if not left.any():
                break
            left[inner[lesion_mask[box]]] = False
            without_lesion[level] += int(left.sum())
            left[inner[real_suv[box] >= threshold]] = False
            false[level] += int(left.sum())
    return HotSpots(without_lesion, false)
