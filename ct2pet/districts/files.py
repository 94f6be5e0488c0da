"""District maps that a user has made: label maps in a folder, one file a case."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ct2pet.dataset.contents import LEAST_OVERLAP, label_problems
from ct2pet.districts.base import Segmenter
from ct2pet.errors import DatasetError, GeometryError, ImageError
from ct2pet.imageio import image_suffixes, read_volume
from ct2pet.volume import Volume


class FilesSegmenter(Segmenter):
    """Reads ``folder``/CASE with any image ending. Raises DatasetError where the folder is missing."""

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DatasetError(f"{self.folder}: no such folder of district maps")

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Volume:
        """The map of the case. Raises DatasetError where there is none or several, ImageError where it holds other
        labels than the districts', GeometryError where it lies elsewhere than the CT."""
        path = self._path(case)
        labels = read_volume(path, "label")
        problems = label_problems(labels.array, districts.values(), needs_one=True)
        if problems:
            known = ", ".join(f"{name} {label}" for name, label in districts.items())
            raise ImageError(f"{path}: {problems[0]}; the districts are {known}")
        overlap = max(labels.grid.overlap(ct_hu.grid), ct_hu.grid.overlap(labels.grid))
        if overlap < LEAST_OVERLAP:
            raise GeometryError(f"{path}: it overlaps the CT in space by {100 * overlap:.0f}% only")
        return labels

    def _path(self, case: str) -> Path:
        found = [path for suffix in image_suffixes() if (path := self.folder / f"{case}{suffix}").is_file()]
        if not found:
            raise DatasetError(f"{self.folder}: there is no district map {case}{image_suffixes()[0]}")
        if len(found) > 1:
            raise DatasetError(f"{self.folder}: the case has several district maps: {found[0].name}, {found[1].name}")
        return found[0]


SEGMENTER = FilesSegmenter
