"""SUVpeak: the highest mean SUV of a sphere of 1 cm³ whose centre is a voxel of the region.

Wahl et al., J. Nucl. Med. 50 (2009) 122S (PERCIST); the "global intensity peak" of the Image Biomarker Standardisation
Initiative (feature 0F91), except that a voxel is weighted with its share inside the sphere. The sphere may extend
outside the region; outside the volume the border is repeated.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

from ct2pet.volume import Triple

SPHERE_ML = 1.0
RADIUS_MM = (3 * SPHERE_ML * 1000 / (4 * math.pi)) ** (1 / 3)
_LINES = 64  # along each of two axes through a voxel, to measure its share in the sphere
_SLAB = 40


def sphere_weights(spacing: Triple) -> np.ndarray:
    """The share of the sphere in each voxel around the central one, of sum 1, for voxels of ``spacing`` (Z, Y, X, mm).

    Exact along X, and by ``_LINES``² lines per voxel across."""
    radii = peak_radii(spacing)
    z, y = (
        (np.arange((2 * radius + 1) * _LINES) + 0.5) / _LINES * size - (radius + 0.5) * size
        for radius, size in zip(radii[:2], spacing[:2])
    )
    half = np.sqrt(np.maximum(RADIUS_MM**2 - z[:, None] ** 2 - y**2, 0.0))[..., None]
    edges = (np.arange(2 * radii[2] + 2) - radii[2] - 0.5) * spacing[2]
    lengths = np.diff(np.clip(edges, -half, half), axis=-1)
    weights = lengths.reshape(2 * radii[0] + 1, _LINES, 2 * radii[1] + 1, _LINES, -1).sum(axis=(1, 3))
    return weights / weights.sum()


def peak_radii(spacing: Triple) -> tuple[int, int, int]:
    """The radius of the sphere in voxels along Z, Y and X."""
    return tuple(math.ceil(RADIUS_MM / size - 0.5) for size in spacing)  # type: ignore[return-value]


def sphere_means(pet_suv: np.ndarray, spacing: Triple) -> np.ndarray:
    """The mean SUV of the sphere around each voxel of a PET (Z, Y, X) with a margin of ``peak_radii`` voxels, by which
    the result (float32) is smaller."""
    weights = sphere_weights(spacing)
    shape = tuple(length - size + 1 for length, size in zip(pet_suv.shape, weights.shape))
    result = np.zeros(shape, np.float32)
    depth = min(_SLAB, shape[0]) + weights.shape[0] - 1
    lengths = [fft.next_fast_len(length, real=True) for length in (depth, *pet_suv.shape[1:])]
    transformed = fft.rfftn(weights.astype(np.float32), lengths)  # its mirror image: it is symmetric
    inner = tuple(slice(size - 1, size - 1 + length) for size, length in zip(weights.shape, (_SLAB, *shape[1:])))
    for low in range(0, shape[0], _SLAB):
        slab = pet_suv[low : low + depth]
        if slab.any():
            spectrum = fft.rfftn(slab, lengths)
            spectrum *= transformed
            count = min(_SLAB, shape[0] - low)
            result[low : low + count] = fft.irfftn(spectrum, lengths, overwrite_x=True)[inner][:count]
    return result
