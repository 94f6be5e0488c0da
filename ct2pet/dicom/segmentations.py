"""Masks from DICOM SEG objects, binary, fractional and label maps (DICOM PS3.3 A.51, A.90 and C.8.20)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.dicom.meaning import Region, segment
from ct2pet.errors import ImageError
from ct2pet.suv.header import Frame, frames
from ct2pet.volume import Grid, Volume, label_mask

_LABEL_MAP = "LABELMAP"
_COSINE = 1e-3
_REGULAR = 0.1  # share of the distance of planes: tolerance of their positions


def regions(segmentation: Dataset, pattern: str | None) -> list[Region]:
    """Each segment, and whether it is a lesion (see ct2pet.dicom.meaning)."""
    return [segment(item, pattern) for item in segmentation.get("SegmentSequence") or []]


def segmentation_volume(segmentation: Dataset, segments: set[int]) -> Volume:
    """The voxels of any of the ``segments`` (uint8, 0 or 1) on the object's own grid: its planes, and between them
    those without a frame, which are empty. A fractional value is inside from one half on; the values of a label map are
    the numbers of segments. The data set needs its pixels.

    Raises ImageError where planes are not parallel or not at regular distances, or the pixels cannot be decoded.
    """
    label_map = segmentation.get("SegmentationType") == _LABEL_MAP
    numbered = enumerate(frames([segmentation]))
    chosen = [(index, frame) for index, frame in numbered if label_map or _segment(frame) in segments]
    if not chosen:
        raise ImageError("no frame of a lesion")
    positions = np.array([_numbers(frame, "ImagePositionPatient", 3) for _, frame in chosen])
    rotation = _rotation([frame for _, frame in chosen])
    along = positions @ rotation[:, 2]
    spacing = _spacing(chosen[0][1], along)
    planes = np.rint((along - along.min()) / spacing).astype(int)
    origin = positions[along.argmin()]
    places = origin + np.outer(planes * spacing, rotation[:, 2])
    if np.abs(places - positions).max() > _REGULAR * spacing:
        raise ImageError("the planes of the segmentation are not at regular distances")
    stored = _pixels(segmentation)
    threshold, labels = _threshold(segmentation), sorted(segments)
    array = np.zeros((planes.max() + 1, *stored.shape[1:]), np.uint8)
    for (index, _), plane in zip(chosen, planes):
        array[plane] |= label_mask(stored[index], labels) if label_map else stored[index] >= threshold
    row, column = _numbers(chosen[0][1], "PixelSpacing", 2)
    grid = Grid(array.shape, (spacing, row, column), tuple(origin.tolist()), tuple(rotation.ravel().tolist()))
    return Volume(array, grid, "label")


def _segment(frame: Frame) -> int | None:
    number = frame.get("ReferencedSegmentNumber")
    return None if number is None else int(number)


def _numbers(frame: Frame, keyword: str, count: int) -> list[float]:
    value = frame.get(keyword)
    if value is None or len(value) != count:
        raise ImageError(f"a frame's {keyword} is missing or incomplete")
    return [float(part) for part in value]


def _rotation(chosen: list[Frame]) -> np.ndarray:
    """Columns: the directions of the X, Y and Z index axes, the same for all frames."""
    cosines = np.array([_numbers(frame, "ImageOrientationPatient", 6) for frame in chosen])
    if np.abs(cosines - cosines[0]).max() > _COSINE:
        raise ImageError("the planes of the segmentation are not parallel")
    row, column = cosines[0, :3], cosines[0, 3:]
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _spacing(frame: Frame, along: np.ndarray) -> float:
    """The distance of planes: that of the header, else the smallest between two of its frames."""
    stated = frame.number("SpacingBetweenSlices")
    steps = np.diff(np.unique(np.round(along, 4)))
    if stated is None and not steps.size:
        stated = frame.number("SliceThickness")
    spacing = stated if stated is not None else float(steps.min()) if steps.size else None
    if spacing is None or spacing <= 0:
        raise ImageError("its SpacingBetweenSlices is missing")
    return spacing


def _pixels(segmentation: Dataset) -> np.ndarray:
    """(frames, Y, X), as stored."""
    try:
        stored = segmentation.pixel_array
    except Exception as error:  # a damaged file raises various errors, which may quote its content
        raise ImageError(f"its pixels cannot be read ({type(error).__name__})") from None
    return stored[np.newaxis] if stored.ndim == 2 else stored


def _threshold(segmentation: Dataset) -> float:
    if segmentation.get("SegmentationType") == "FRACTIONAL":
        return float(segmentation.get("MaximumFractionalValue") or 255) / 2
    return 1.0
