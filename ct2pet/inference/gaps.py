"""Voxels of districts that no network sees: parts that are thinner than the plan's spacing, so that no voxel of the
plan's grid has its centre in them. They get the values of the nearest voxels that are predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

from ct2pet.volume import Box, Grid, Volume, label_mask

_FACE = 1e-3  # voxels; positions this close to a face of a grid count as outside of it


@dataclass(frozen=True)
class Gaps:
    """The gaps (N, 3) of a prediction on the grid of ``district_map`` (labels, 0 in the gaps), and the nearest voxels
    that are predicted (N, 3)."""

    district_map: Volume
    voxels: np.ndarray
    nearest: np.ndarray

    @classmethod
    def of(cls, district_map: Volume, predicted: Sequence[tuple[Sequence[int], Grid | None]], seen: Grid) -> Gaps:
        """The gaps in ``district_map``. ``predicted``: the labels of each district, and the grid on which it will be
        predicted (None: on none). ``seen``: the grid of the first input; voxels outside of it are no gaps.
        """
        none = np.empty((0, 3), int)
        missed = [part for labels, grid in predicted for part in _beyond(district_map, labels, grid)]
        gaps = np.concatenate([none, *(part[_inside(part, district_map.grid, seen, -_FACE)] for part in missed)])
        labels = [label for own, grid in predicted if grid is not None for label in own]
        if not len(gaps) or not labels:
            return cls(district_map, none, none)
        sources = label_mask(district_map.array, labels)
        for part in missed:
            sources[tuple(part.T)] = False
        nearest = _nearest(sources, gaps, district_map.grid.spacing)
        if nearest is None:
            return cls(district_map, none, none)
        array = district_map.array.copy()
        array[tuple(gaps.T)] = 0
        return cls(district_map.with_array(array), gaps, nearest)

    def fill(self, array: np.ndarray) -> None:
        """Fill the gaps of a prediction (Z, Y, X), in place."""
        array[tuple(self.voxels.T)] = array[tuple(self.nearest.T)]


def _beyond(district_map: Volume, labels: Sequence[int], grid: Grid | None) -> Iterator[np.ndarray]:
    """The voxels (N, 3) with one of the ``labels`` outside of ``grid``, by slice."""
    box = Box.around(label_mask(part, labels) for part in district_map.array)
    if box is None:
        return
    ends = np.array([box.start, box.stop]) - [[0], [1]]
    corners = np.stack(np.meshgrid(*ends.T), axis=-1).reshape(-1, 3)
    if grid is not None and _inside(corners, district_map.grid, grid, _FACE).all():
        return  # the usual case: no voxel needs to be looked at
    for z in range(box.start[0], box.stop[0]):
        y, x = np.nonzero(label_mask(district_map.array[z], labels))
        voxels = np.stack([np.full_like(y, z), y, x], axis=1).astype(np.int32)
        if grid is not None:
            voxels = voxels[~_inside(voxels, district_map.grid, grid, _FACE)]
        if len(voxels):
            yield voxels


def _inside(voxels: np.ndarray, own: Grid, grid: Grid, face: float) -> np.ndarray:
    """Whether the centres of ``voxels`` (N, 3; of the grid ``own``) are inside ``grid``, by at least ``face`` of its
    voxels."""
    affine = np.linalg.inv(grid.affine) @ own.affine
    index = voxels[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    last = np.array(grid.shape[::-1]) - 0.5
    return ((index >= face - 0.5) & (index <= last - face)).all(axis=1)


def _nearest(mask: np.ndarray, voxels: np.ndarray, spacing: Sequence[float]) -> np.ndarray | None:
    """The nearest voxel of ``mask``, in mm, to each of ``voxels`` (N, 3), which are outside of it; None where the mask
    is empty. Only the surface of the mask is searched: a distance transform needs 12 bytes for each voxel of a CT."""
    surface = np.argwhere(mask & ~binary_erosion(mask, border_value=1))
    if not len(surface):
        return None
    _, found = cKDTree(surface * spacing).query(voxels * spacing)
    return surface[found]
