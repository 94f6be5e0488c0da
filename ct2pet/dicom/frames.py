"""The slices of a series: one a file in classic objects, many in enhanced ones (functional groups, PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from ct2pet.dicom.headers import Header
from ct2pet.dicom.reading import quiet, read_dataset
from ct2pet.dicom.series import Series, Slice, Stack, stack
from ct2pet.errors import GeometryError, ImageError

_NEEDED = {"position": "ImagePositionPatient", "orientation": "ImageOrientationPatient"}
_NEEDED |= {"pixel_spacing": "PixelSpacing", "shape": "Rows or Columns", "slope": "RescaleSlope"}
_NEEDED |= {"intercept": "RescaleIntercept"}
_COUNTS = {"position": 3, "orientation": 6, "pixel_spacing": 2}
_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def series_stack(series: Series) -> Stack:
    """The slices of a series in order, and their grid. Reads the files of enhanced objects again.

    Raises GeometryError (see ``stack``; also for a tag that is missing) and ImageError for files that cannot be read.
    """
    slices = [item for header in series.headers for item in _slices(header)]
    return stack(slices)


def _slices(header: Header) -> Iterator[Slice]:
    if not header.enhanced:
        yield _slice(header, None, {name: getattr(header, name) for name in _NEEDED})
        return
    with quiet():
        dataset = read_dataset(header.path, tags=_FUNCTIONAL_GROUPS)
        shared = (dataset.get(_FUNCTIONAL_GROUPS[0]) or [Dataset()])[0]
        frames = dataset.get(_FUNCTIONAL_GROUPS[1]) or []
        if not frames:
            raise ImageError(f"{header.name}: an enhanced image without its PerFrameFunctionalGroupsSequence")
        for index, frame in enumerate(frames):
            yield _slice(header, index, _placed(header, frame, shared))


def _placed(header: Header, frame: Dataset, shared: Dataset) -> dict[str, Any]:
    def find(sequence: str, keyword: str) -> Any:
        for group in (frame, shared):
            items = group.get(sequence)
            if items and items[0].get(keyword) is not None:
                value = items[0].get(keyword)
                return tuple(map(float, value)) if hasattr(value, "__len__") else float(value)
        return None

    return {
        "position": find("PlanePositionSequence", "ImagePositionPatient"),
        "orientation": find("PlaneOrientationSequence", "ImageOrientationPatient"),
        "pixel_spacing": find("PixelMeasuresSequence", "PixelSpacing"),
        "slope": find("PixelValueTransformationSequence", "RescaleSlope"),
        "intercept": find("PixelValueTransformationSequence", "RescaleIntercept"),
        "shape": header.shape,
    }


def _slice(header: Header, frame: int | None, values: dict[str, Any]) -> Slice:
    for name, keyword in _NEEDED.items():
        value = values[name]
        if value is None or len(value if name in _COUNTS else ()) != _COUNTS.get(name, 0):
            raise GeometryError(f"{header.name}: its {keyword} is missing or incomplete")
    return Slice(header.path, frame, header.name, **values)
