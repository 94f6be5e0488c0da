"""The voxels of all regions, computed once for all metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_CHUNK = 2**16  # voxels per step; they fit into a processor's cache


@dataclass(frozen=True)
class LabelledRegions:
    """An unsigned label map (Z, Y, X) with the label of each region in it, and the name of all of them together as one
    region (empty: it is none)."""

    labels: np.ndarray
    names: Mapping[str, int]
    union: str = ""


@dataclass(frozen=True)
class Partition:
    """The volume divided into parts, each with the same regions in all voxels. ``voxels``: flat indices into the
    volume, those of the first part first; ``ends``: where each part ends among them; ``regions``: the parts of each
    region."""

    voxels: np.ndarray
    ends: Sequence[int]
    regions: Mapping[str, list[int]]

    @classmethod
    def of(cls, kinds: Sequence[LabelledRegions]) -> Partition:
        """Of label maps of one shape: regions of one map never overlap, those of different maps may."""
        numbers = [_numbered(kind) for kind in kinds]  # of the region in this map, from 1; 0: in none
        voxels = np.flatnonzero(np.any([number > 0 for number in numbers], axis=0))
        codes = np.zeros(voxels.size, np.int64)
        for kind, number in zip(kinds, numbers):
            codes *= len(kind.names) + 1
            codes += number.ravel()[voxels]
        codes = codes.astype(np.min_scalar_type(int(codes.max(initial=0))))  # small numbers are sorted faster
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        starts = np.flatnonzero(np.diff(codes, prepend=codes[:1] + 1))
        regions: dict[str, list[int]] = {}
        remaining = codes[starts].astype(np.int64)
        for kind in reversed(kinds):
            remaining, here = np.divmod(remaining, len(kind.names) + 1)
            found = {name: np.flatnonzero(here == n).tolist() for n, name in enumerate(kind.names, start=1)}
            union = {kind.union: np.flatnonzero(here).tolist()} if kind.union else {}
            regions = {**union, **found, **regions}
        return cls(voxels[order].astype(np.int32), [*starts[1:].tolist(), voxels.size][: len(starts)], regions)

    def part(self, index: int) -> np.ndarray:
        """The flat indices of one part."""
        return self.voxels[self.ends[index - 1] if index else 0 : self.ends[index]]

    def region(self, name: str) -> np.ndarray:
        """The flat indices of one region."""
        return np.concatenate([self.voxels[:0], *map(self.part, self.regions[name])])

    def common_voxels(self, first: str, second: str) -> int:
        """The number of voxels that are in both regions."""
        return sum(self.part(index).size for index in {*self.regions[first]} & {*self.regions[second]})

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The number of a part and the flat indices of some of its voxels, until all were there."""
        for index in range(len(self.ends)):
            voxels = self.part(index)
            for start in range(0, voxels.size, _CHUNK):
                yield index, voxels[start : start + _CHUNK]


def _numbered(kind: LabelledRegions) -> np.ndarray:
    number_of_label = np.zeros(
        max(int(kind.labels.max(initial=0)), *kind.names.values(), 0) + 1, np.min_scalar_type(len(kind.names))
    )
    for number, label in enumerate(kind.names.values(), start=1):
        number_of_label[label] = number
    return number_of_label[kind.labels]
