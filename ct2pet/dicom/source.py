"""The CT that a DICOM PET is derived from: the attributes that are copied, and the images at the position of a
slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.dicom.folders import only_ct_series
from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.reading import discreet, quiet, read_dataset
from ct2pet.dicom.series import Series, Stack


@dataclass(frozen=True)
class CtSource:
    """A CT series: the ``header`` of one of its objects (no pixels), and the positions of its slices."""

    header: Dataset
    series: Series
    stack: Stack

    @property
    def position_along(self) -> np.ndarray:
        """(slices,): the positions of the slices along their normal, mm."""
        return self._positions() @ self.normal

    @property
    def normal(self) -> np.ndarray:
        return np.array(self.stack.grid.direction).reshape(3, 3)[:, 2]

    def _positions(self) -> np.ndarray:
        return np.array([item.position for item in self.stack.slices], dtype=float)

    def images_between(self, low: float, high: float) -> list[tuple[str, int | None]]:
        """SOP instance and frame (from 1 on; None for classic objects) of the slices with centres from ``low`` to
        ``high`` along the normal (mm); at least the nearest one."""
        along = self.position_along
        chosen = np.flatnonzero((along >= low) & (along <= high))
        if not chosen.size:
            chosen = np.array([np.abs(along - (low + high) / 2).argmin()])
        instances = {header.path: header.sop_instance for header in self.series.headers}
        slices = [self.stack.slices[index] for index in chosen]
        return [(instances[item.path], None if item.frame is None else item.frame + 1) for item in slices]


def read_source(folder: Path) -> CtSource:
    """The only CT series below a folder. Raises ImageError or GeometryError as reading its image does."""
    with discreet(), quiet():
        series = only_ct_series(folder)
        stack = series_stack(series)
        return CtSource(read_dataset(stack.slices[0].path), series, stack)
