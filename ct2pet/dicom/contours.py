"""Masks from the contours of an RT structure set (DICOM PS3.3 C.8.8.5 and C.8.8.6)."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.errors import ImageError
from ct2pet.volume import Grid

_OFF_SLICE = 0.25  # of the distance of slices: a contour that lies farther from a slice lies between two
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_LESION_TYPES = ("", "GTV")


def lesion_rois(structure_set: Dataset, pattern: str | None) -> Iterator[tuple[str, list[np.ndarray]]]:
    """A name for messages (its number, because a ROI's own name may name the patient) and the closed contours, (n, 3)
    points in LPS mm, of each ROI that is a lesion.

    ``pattern``: those whose name fits it, as a file's name fits ``*tumour*``, in capitals or not. None: all but those
    whose type says that they are something else, an organ or a planning target volume, say.
    """
    names = {item.ROINumber: str(item.get("ROIName", "")) for item in structure_set.get("StructureSetROISequence", [])}
    types = {
        item.ReferencedROINumber: str(item.get("RTROIInterpretedType", "") or "")
        for item in structure_set.get("RTROIObservationsSequence") or []
    }
    for item in structure_set.get("ROIContourSequence") or []:
        number = item.ReferencedROINumber
        if fits(names.get(number, ""), pattern) and (pattern or types.get(number, "") in _LESION_TYPES):
            yield f"ROI {number}", [_points(contour, number) for contour in _closed(item)]


def fits(name: str, pattern: str | None) -> bool:
    """Whether a name fits a pattern with ``*`` and ``?``; upper and lower case are alike, None fits all."""
    return pattern is None or fnmatch.fnmatchcase(name.strip().lower(), pattern.lower())


def _closed(item: Dataset) -> Iterator[Dataset]:
    for contour in item.get("ContourSequence") or []:
        if contour.get("ContourGeometricType") in _CLOSED and contour.get("ContourData"):
            yield contour


def _points(contour: Dataset, number: int) -> np.ndarray:
    points = np.array(contour.ContourData, dtype=float)
    if points.size % 3 or not np.isfinite(points).all():
        raise ImageError(f"ROI {number} has a contour whose points are not x, y, z")
    return points.reshape(-1, 3)


def rasterise(contours: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    """(Z, Y, X), bool: the voxels whose centres lie inside the contours of one ROI, (n, 3) points in LPS mm.

    Contours of one slice are combined by exclusive or, so that one inside another is a hole; a contour that occurs
    twice counts once. Contours above the first or below the last slice are left out. Raises ImageError for contours
    that do not lie in the slices of the grid.
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
        raise ImageError(f"{between} of {len(contours)} contours do not lie in slices of the series")
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
