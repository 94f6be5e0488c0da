"""District maps that a user has made: label maps in a folder, one file a case."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.dataset.contents import LEAST_OVERLAP
from ct2pet.dataset.plausibility import label_problems
from ct2pet.districts.base import Segmentation, Segmenter, SegmenterIdentity
from ct2pet.districts.records import OWN, origin, read_record
from ct2pet.errors import DatasetError, GeometryError, ImageError
from ct2pet.imageio import image_suffixes, read_volume
from ct2pet.resampling import resample
from ct2pet.volume import Volume

_AIR_HU = -950.0  # below lung
_MOST_AIR = 0.5


class FilesSegmenter(Segmenter):
    """Reads ``folder``/CASE with any image ending. Raises DatasetError where the folder is missing."""

    name = OWN.name
    options = ("folder",)

    def __init__(self, folder: str | os.PathLike | None = None) -> None:
        if folder is None:
            raise DatasetError(
                "the segmenter files needs a folder of maps: "
                "ct2pet_segment_districts --segmenter files --districts FOLDER"
            )
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DatasetError(f"{self.folder}: no such folder of district maps")

    @property
    def version(self) -> str:
        return OWN.version

    def settings(self) -> dict[str, Any]:
        return {}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """The map of the case, by nearest neighbour on the CT's grid where it lies on another.

        Raises DatasetError where there is none or several, ImageError where it holds other labels than the
        districts', GeometryError where it lies elsewhere than the CT.
        """
        path = self._path(case)
        labels = read_volume(path, "label")
        problems = label_problems(labels.array, districts.values(), needs_one=True)
        if problems:
            known = ", ".join(f"{name} {label}" for name, label in districts.items())
            raise ImageError(f"{path}: {problems[0]}; the districts are {known}")
        overlap = max(labels.grid.overlap(ct_hu.grid), ct_hu.grid.overlap(labels.grid))
        if overlap < LEAST_OVERLAP:
            raise GeometryError(f"{path}: it overlaps the CT in space by {100 * overlap:.0f}% only")
        on_ct = resample(labels.to_canonical(), ct_hu.grid, labels=True)
        on_ct = on_ct.with_array(on_ct.array.astype(np.uint8, copy=False))
        record, doubts = read_record(path), _doubts(on_ct.array, ct_hu.array)
        if record is None:
            return Segmentation(on_ct, {}, doubts)
        return Segmentation(on_ct, record.confidence, (*record.warnings, *doubts))

    def has(self, case: str) -> bool:
        """Whether there is a map of the case."""
        return bool(self._found(case))

    def identity(self, case: str) -> SegmenterIdentity:
        """What made the map, as the record beside it says."""
        return origin(self._path(case))

    def _found(self, case: str) -> list[Path]:
        return [path for suffix in image_suffixes() if (path := self.folder / f"{case}{suffix}").is_file()]

    def _path(self, case: str) -> Path:
        found = self._found(case)
        if not found:
            raise DatasetError(f"{self.folder}: there is no district map {case}{image_suffixes()[0]}")
        if len(found) > 1:
            raise DatasetError(f"{self.folder}: the case has several district maps: {found[0].name}, {found[1].name}")
        return found[0]


def _doubts(district_map: np.ndarray, ct_hu: np.ndarray) -> tuple[str, ...]:
    """A map that lies mostly in the air belongs to another CT, or is flipped."""
    labelled, air = 0, 0
    for labels, hu in zip(district_map, ct_hu):  # slice by slice, so that no copy of the whole is made
        inside = hu[labels > 0]
        labelled, air = labelled + inside.size, air + np.count_nonzero(inside < _AIR_HU)
    if air <= _MOST_AIR * labelled:
        return ()
    return (f"{100 * air / labelled:.0f}% of the map lies in air: does it belong to this CT, is it flipped?",)


SEGMENTER = FilesSegmenter
