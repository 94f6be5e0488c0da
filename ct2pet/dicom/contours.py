"""Masks from the contours of an RT structure set (DICOM PS3.3 C.8.8.5 and C.8.8.6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.dicom.meaning import Region, roi
from ct2pet.errors import ImageError
from ct2pet.volume import Grid

_OFF_SLICE = 0.25  # of the distance of slices: a contour farther from a slice is between two slices
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_ROIS = "StructureSetROISequence"


def regions(structure_set: Dataset, pattern: str | None) -> list[Region]:
    """Each ROI with contours, and whether it is a lesion (see ct2pet.dicom.meaning). An observation without the number
    of its ROI is ignored; an ROI that is not numbered raises AttributeError."""
    names = {item.ROINumber: str(item.get("ROIName", "") or "") for item in structure_set.get(_ROIS) or []}
    observed = structure_set.get("RTROIObservationsSequence") or []
    observations = {item.get("ReferencedROINumber"): item for item in observed}
    numbers = [item.ReferencedROINumber for item in structure_set.get("ROIContourSequence") or []]
    return [roi(int(n), names.get(n, ""), observations.get(n, Dataset()), pattern) for n in numbers]


def closed_contours(structure_set: Dataset, number: int) -> list[np.ndarray]:
    """The closed contours, (n, 3) points in LPS mm, of one ROI."""
    items = structure_set.get("ROIContourSequence") or []
    own = [item for item in items if int(item.ReferencedROINumber) == number]
    return [_points(contour) for item in own for contour in _closed(item)]


def _closed(item: Dataset) -> Iterator[Dataset]:
    for contour in item.get("ContourSequence") or []:
        if contour.get("ContourGeometricType") in _CLOSED and contour.get("ContourData"):
            yield contour


def _points(contour: Dataset) -> np.ndarray:
    points = np.array(contour.ContourData, dtype=float)
    if points.size % 3 or not np.isfinite(points).all():
        raise ImageError("a contour has points that are not x, y, z")
    return points.reshape(-1, 3)


def rasterise(contours: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    """(Z, Y, X), bool: the voxels whose centres lie inside the contours of one ROI, (n, 3) points in LPS mm.

    Contours of one slice are combined by exclusive or, so that one inside another is a hole; a contour that occurs
    twice counts once. Contours above the first or below the last slice are ignored. Raises ImageError for contours that
    are not in slices of the grid.
    """
    mask = np.zeros(grid.shape, bool)
    for z, polygons in _by_slice(contours, grid).items():
        for polygon in polygons:
            _toggle(mask[z], polygon)
    return mask


def _by_slice(contours: Sequence[np.ndarray], grid: Grid) -> dict[int, list[np.ndarray]]:
    """The polygons, (n, 2) indices x, y, of each slice."""
    to_index = np.linalg.inv(grid.affine)
    slices: dict[int, list[np.ndarray]] = defaultdict(list)
    between = 0
    for contour in contours:
        index = contour @ to_index[:3, :3].T + to_index[:3, 3]
        z = round(float(index[:, 2].mean()))
        if np.abs(index[:, 2] - z).max() > _OFF_SLICE:
            between += 1
        elif 0 <= z < grid.shape[0] and not any(np.array_equal(index[:, :2], other) for other in slices[z]):
            slices[z].append(index[:, :2])
    if between:
        raise ImageError(f"{between} of {len(contours)} contours are not in slices of the series")
    return slices


def _toggle(plane: np.ndarray, polygon: np.ndarray) -> None:
    """Invert the pixels (Y, X) whose centres lie inside a polygon of x, y (even-odd rule)."""
    from matplotlib.path import Path

    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int) + 1, plane.shape[::-1])
    if len(polygon) < 3 or (high <= low).any():
        return
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    closed = Path(np.vstack([polygon, polygon[:1]]), closed=True)
    inside = closed.contains_points(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    plane[low[1] : high[1], low[0] : high[0]] ^= inside
