"""The voxels of regions that do not overlap: found once, so that every metric visits them and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

_CHUNK = 2**16  # voxels that are worked on at once: they fit a processor's cache


@dataclass(frozen=True)
class Partition:
    """Parts of a volume by name. ``voxels``: flat indices into the volume, those of the first part first; ``ends``:
    where each part ends among them. ``union``: the name of all parts together as a region; empty where it is none."""

    names: tuple[str, ...]
    union: str
    voxels: np.ndarray
    ends: tuple[int, ...]

    @classmethod
    def of(cls, labels: np.ndarray, names: Mapping[str, int], union: str = "") -> Partition:
        """The parts of an unsigned label map (Z, Y, X): ``names`` maps a part's name to its label (above 0)."""
        part_of_label = np.zeros(
            max(int(labels.max(initial=0)), *names.values(), 0) + 1, np.min_scalar_type(len(names))
        )
        for number, label in enumerate(names.values(), start=1):
            part_of_label[label] = number
        parts = part_of_label[labels].ravel()
        voxels = np.flatnonzero(parts)
        parts = parts[voxels]
        order = np.argsort(parts, kind="stable")
        ends = np.cumsum(np.bincount(parts, minlength=len(names) + 1)[1:])
        return cls(tuple(names), union, voxels[order].astype(np.int32), tuple(int(end) for end in ends))

    def part(self, index: int) -> np.ndarray:
        """The flat indices of one part."""
        return self.voxels[self.ends[index - 1] if index else 0 : self.ends[index]]

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The number of a part and the flat indices of some of its voxels, until all were there."""
        for index in range(len(self.names)):
            voxels = self.part(index)
            for start in range(0, voxels.size, _CHUNK):
                yield index, voxels[start : start + _CHUNK]
