"""Surfaces of the labels of a map, and the distances between two surfaces in mm.

A surface voxel of a label is a voxel of this label with at least one of its six face neighbours outside the label;
outside the image nothing has a label. MONAI, MetricsReloaded and MedPy define it the same way. Distances are between
centres of voxels.

Nearest surface voxels are found with a k-d tree of the surface voxels and not with distance maps: time and memory then
depend only on the number of surface voxels, while a few false voxels far from an organ would enlarge its distance map
to the whole body.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import KDTree

from ct2pet.volume import Triple

_PLANES = 16  # of a slab: temporary arrays stay small


def label_surfaces(label_map: np.ndarray, labels: Sequence[int]) -> dict[int, np.ndarray]:
    """The surface voxels of each of ``labels`` (from 1 on) in a map (Z, Y, X) of integers, as sorted flat indices."""
    found: dict[int, list[np.ndarray]] = {label: [] for label in labels}
    for start, slab in _padded_slabs(label_map):
        core = slab[1:-1, 1:-1, 1:-1]
        on_surface = _differs_from_a_neighbour(slab) & (core > 0)
        values = core[on_surface]
        order = np.argsort(values, kind="stable")
        voxels = np.flatnonzero(on_surface)[order] + start * label_map[0].size
        for label, parts in found.items():
            first, last = np.searchsorted(values[order], [label, label + 1])
            parts.append(voxels[first:last])
    return {label: np.concatenate(parts) for label, parts in found.items()}


def _padded_slabs(label_map: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The number of the first plane of each slab, and its planes with one voxel more on all sides: 0 outside."""
    for start in range(0, len(label_map), _PLANES):
        stop = min(start + _PLANES, len(label_map))
        before, after = int(start > 0), int(stop < len(label_map))
        yield start, np.pad(label_map[start - before : stop + after], ((1 - before, 1 - after), (1, 1), (1, 1)))


def _differs_from_a_neighbour(slab: np.ndarray) -> np.ndarray:
    """Of the inner voxels of a padded slab: whether one of the six face neighbours has another value."""
    inner = slice(1, -1)
    core = slab[inner, inner, inner]
    differs = np.zeros(core.shape, bool)
    for axis in range(3):
        for neighbour in (slice(None, -2), slice(2, None)):
            window = [inner, inner, inner]
            window[axis] = neighbour
            differs |= slab[tuple(window)] != core
    return differs


def surface_distances(
    first: np.ndarray, second: np.ndarray, shape: tuple[int, ...], spacing: Triple
) -> tuple[np.ndarray, np.ndarray]:
    """The distance (mm) of each surface voxel of ``first`` to the nearest one of ``second``, and the reverse.

    Both are sorted flat indices into an array of ``shape`` with voxels of ``spacing`` (mm, Z, Y, X), without repeats
    and at least one each.
    """
    return _directed(first, second, shape, spacing), _directed(second, first, shape, spacing)


def _directed(source: np.ndarray, target: np.ndarray, shape: tuple[int, ...], spacing: Triple) -> np.ndarray:
    distances = np.zeros(len(source))
    apart = np.isin(source, target, assume_unique=True, invert=True)  # shared voxels are at distance 0
    if apart.any():
        distances[apart] = KDTree(_points(target, shape, spacing)).query(_points(source[apart], shape, spacing))[0]
    return distances


def _points(voxels: np.ndarray, shape: tuple[int, ...], spacing: Triple) -> np.ndarray:
    return np.stack(np.unravel_index(voxels, shape), axis=1) * np.asarray(spacing, dtype=float)


def hausdorff_95(distances: tuple[np.ndarray, np.ndarray]) -> float:
    """HD95 (mm): the larger one of the 95th percentiles of the two directed distances (linear between values).

    MONAI, MetricsReloaded and DeepMind's surface-distance take this maximum. MedPy takes the percentile of both
    directions together, where the larger surface dominates.
    """
    return float(max(np.percentile(directed, 95) for directed in distances))


def average_surface_distance(distances: tuple[np.ndarray, np.ndarray]) -> float:
    """ASD (mm), symmetric: the mean over the surface voxels of both, as of MONAI (``symmetric=True``) and of
    MetricsReloaded and MedPy (there called ASSD)."""
    return float(np.concatenate(distances).mean())
