"""The parts of a case in districts without a model: they have no prediction, and are in no region of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ct2pet.dataset.predictions import NOT_PREDICTED
from ct2pet.imageio import read_volume
from ct2pet.resampling import resample
from ct2pet.volume import Volume


@dataclass(frozen=True)
class LeftOut:
    """The maps of the districts without a model of one case; empty where each district has one."""

    maps: tuple[Volume, ...] = ()

    @classmethod
    def beside(cls, predictions: Mapping[str, Path]) -> LeftOut:
        """The maps next to the predictions of a case, given by target."""
        paths = [path.parent / NOT_PREDICTED / path.name for path in predictions.values()]
        return cls(tuple(read_volume(path, unit="label") for path in paths if path.exists()))

    def names(self, districts: Mapping[str, int]) -> list[str]:
        """The names of the districts, or their labels where no district has a name."""
        labels = {label for found in self.maps for label in np.unique(found.array).tolist()}
        if not districts:
            return [f"district {label}" for label in sorted(labels - {0})]
        return [name for name, label in districts.items() if label in labels]

    def removed_from(self, labels: Volume) -> Volume:
        """A label map, on any grid, with 0 in these districts."""
        for found in self.maps:
            inside = resample(found, labels.grid, labels=True).array > 0
            labels = labels.with_array(np.where(inside, 0, labels.array).astype(labels.array.dtype))
        return labels
