"""Overlap and surface distances of two label maps, label by label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ct2pet.errors import DatasetError, GeometryError, ImageError
from ct2pet.evaluation.results import Metrics
from ct2pet.evaluation.surface_distance import (
    average_surface_distance,
    hausdorff_95,
    label_surfaces,
    surface_distances,
)
from ct2pet.volume import Triple


def label_metrics(
    predicted: np.ndarray, reference: np.ndarray, labels: Mapping[str, int], spacing: Triple
) -> dict[str, Metrics]:
    """``{name: {metric: value or None}}`` for each of ``labels`` (name: value in the maps, from 1 on).

    ``predicted`` and ``reference``: label maps (Z, Y, X) of integers on one grid with voxels of ``spacing`` (mm, Z, Y,
    X). Values that are not in ``labels`` are background.

    ``dice`` and ``iou`` (0 to 1): overlap. ``hd95`` (mm): 95th percentile Hausdorff distance. ``asd`` (mm): average
    symmetric surface distance (see surface_distance). ``real_volume_ml``, ``fake_volume_ml``: the label's volume in the
    reference and in the prediction.

    A label that is in neither map has None for its overlap and its distances: it is in no mean, as in nnU-Net. A label
    that is in only one map has an overlap of 0 and None for its distances, which are undefined; the volumes show the
    map without it (``label_summary.label_presence`` counts such cases).

    Raises GeometryError where the shapes differ, ImageError where a map is not of integers, DatasetError where a
    label is below 1.
    """
    _check(predicted, reference, labels)
    counts = _counts(predicted, reference, max(labels.values(), default=0))
    surfaces = [label_surfaces(label_map, list(labels.values())) for label_map in (predicted, reference)]
    voxel_ml = float(np.prod(spacing)) / 1000.0
    found: dict[str, Metrics] = {}
    for name, label in labels.items():
        overlap, fake, real = (int(count[label]) for count in counts)
        volumes = {"real_volume_ml": real * voxel_ml, "fake_volume_ml": fake * voxel_ml}
        distances: Metrics = {"hd95": None, "asd": None}
        if fake and real:
            both = surface_distances(surfaces[0][label], surfaces[1][label], predicted.shape, spacing)
            distances = {"hd95": hausdorff_95(both), "asd": average_surface_distance(both)}
        found[name] = {**_overlaps(overlap, fake, real), **distances, **volumes}
    return found


def _overlaps(overlap: int, fake: int, real: int) -> Metrics:
    """Dice and IoU from the numbers of voxels; None where both maps have none."""
    if not fake + real:
        return {"dice": None, "iou": None}
    return {"dice": 2 * overlap / (fake + real), "iou": overlap / (fake + real - overlap)}


def _counts(predicted: np.ndarray, reference: np.ndarray, highest: int) -> np.ndarray:
    """(3, highest + 1): the voxels of each label in both maps at once, in ``predicted`` and in ``reference``."""
    counts = np.zeros((3, highest + 1), np.int64)
    for fake, real in zip(predicted, reference):  # plane by plane: bincount copies what it counts to int64
        for row, values in zip(counts, _known(fake, real, highest)):
            row += np.bincount(values, minlength=highest + 1)
    return counts


def _known(fake: np.ndarray, real: np.ndarray, highest: int) -> Iterator[np.ndarray]:
    known_fake, known_real = ((plane > 0) & (plane <= highest) for plane in (fake, real))
    yield real[known_real & (fake == real)]
    yield fake[known_fake]
    yield real[known_real]


def _check(predicted: np.ndarray, reference: np.ndarray, labels: Mapping[str, int]) -> None:
    if predicted.shape != reference.shape or predicted.ndim != 3:
        raise GeometryError(
            f"label maps of {predicted.shape} (predicted) and {reference.shape} (reference) voxels cannot be compared: "
            "resample both to one grid of three axes"
        )
    for what, label_map in (("predicted", predicted), ("reference", reference)):
        if label_map.dtype.kind not in "iu":
            raise ImageError(f"the {what} label map has the type {label_map.dtype}; expected integers")
    check_label_values(labels)


def check_label_values(labels: Mapping[str, int]) -> None:
    """Raises DatasetError where one of ``labels`` is below 1."""
    for name, label in labels.items():
        if label < 1:
            raise DatasetError(f"label {label} of {name} cannot be evaluated: 0 is background, labels start at 1")
