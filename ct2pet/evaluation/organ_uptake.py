"""Uptake of an organ measured without a reference: in the predicted organ of the predicted PET."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from ct2pet.errors import GeometryError, ImageError
from ct2pet.evaluation.label_metrics import check_label_values
from ct2pet.evaluation.metrics import with_bias
from ct2pet.evaluation.results import Metrics


@dataclass(frozen=True)
class PetWithLabels:
    """A PET in SUV (g/ml) and a label map of integers, arrays (Z, Y, X) on one grid.

    Raises GeometryError where the shapes differ, ImageError where the map is not of integers.
    """

    suv: np.ndarray
    label_map: np.ndarray

    def __post_init__(self) -> None:
        if self.suv.shape != self.label_map.shape:
            raise GeometryError(f"the PET has {self.suv.shape} voxels, its label map {self.label_map.shape}")
        if self.label_map.dtype.kind not in "iu":
            raise ImageError(f"the label map has the type {self.label_map.dtype}; expected integers")


def organ_uptake(fake: PetWithLabels, real: PetWithLabels, labels: Mapping[str, int]) -> dict[str, Metrics]:
    """``{name: {metric: value or None}}`` for each of ``labels`` (name: value in both maps, from 1 on).

    ``real_suv_mean``, ``real_suv_max``: SUV of the reference organ in the full-dose PET. ``fake_suv_mean``,
    ``fake_suv_max``: SUV of the predicted organ in the denoised PET. ``suv_mean_bias``, ``suv_max_bias``: the deviation
    of the second from the first in % of the first. Each contains the errors of both outputs, image and labels, while
    the metrics of the region ``organ:NAME`` measure both PETs in the reference organ.

    The values of a PET without the label in its map are None; so is the bias where one PET has None or the real value
    is not positive. The pairs may be on different grids. Raises ImageError where an organ's SUV is not finite,
    DatasetError where a label is below 1.
    """
    check_label_values(labels)
    highest = max(labels.values(), default=0)
    fake_values, real_values = (_suv_by_label(one, labels, highest) for one in (fake, real))
    return {name: with_bias(real_values[name], fake_values[name]) for name in labels}


def _suv_by_label(one: PetWithLabels, labels: Mapping[str, int], highest: int) -> dict[str, Metrics]:
    boxes = find_objects(one.label_map, highest)
    found: dict[str, Metrics] = {}
    for name, label in labels.items():
        box = boxes[label - 1]
        found[name] = {"suv_mean": None, "suv_max": None}
        if box is not None:
            voxels = one.suv[box][one.label_map[box] == label]
            found[name] = {"suv_mean": float(voxels.mean(dtype=np.float64)), "suv_max": float(voxels.max())}
        if any(value is not None and not math.isfinite(value) for value in found[name].values()):
            raise ImageError(f"the PET has NaN or infinite values in {name}")
    return found
