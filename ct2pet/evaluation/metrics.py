"""Errors of a synthetic PET against the real one: arrays (Z, Y, X) in SUV (g/ml) on one grid.

Every function takes a ``mask`` (bool, Z, Y, X) in which it counts; without one it counts everywhere. Where a number
does not exist (an empty mask, a bias of a mean that is zero) the answer is None: it is written as null and does not
enter any average. Sums are taken in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TypeVar

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ct2pet.volume import Box

DATA_RANGE_SUV = 20.0
SSIM_SIGMA = 1.5
SSIM_WINDOW = 11  # voxels, along each axis
_SSIM_TRUNCATE = 3.5  # scipy: a radius of int(3.5 * 1.5 + 0.5) = 5 voxels
_RADIUS = SSIM_WINDOW // 2
_SLAB = 16

Key = TypeVar("Key")


def mae(fake: np.ndarray, real: np.ndarray, mask: np.ndarray | None = None) -> float | None:
    """Mean absolute error in SUV."""
    fake, real = _inside(fake, mask), _inside(real, mask)
    return _finite(np.abs(fake - real).mean(dtype=np.float64)) if fake.size else None


def psnr(fake: np.ndarray, real: np.ndarray, mask: np.ndarray | None = None) -> float | None:
    """Peak signal-to-noise ratio in dB with a fixed range of 20 SUV. None without any error (it would be infinite)."""
    fake, real = _inside(fake, mask), _inside(real, mask)
    if not fake.size:
        return None
    mse = float(np.square(fake - real).mean(dtype=np.float64))
    return _finite(10 * math.log10(DATA_RANGE_SUV**2 / mse)) if mse > 0 else None


def suv_mean_bias(fake: np.ndarray, real: np.ndarray, mask: np.ndarray | None = None) -> float | None:
    """How far the mean SUV is off, in % of the real mean. None where the real mean is not positive."""
    fake, real = _inside(fake, mask), _inside(real, mask)
    return _bias(fake.mean(dtype=np.float64), real.mean(dtype=np.float64)) if fake.size else None


def suv_max_bias(fake: np.ndarray, real: np.ndarray, mask: np.ndarray | None = None) -> float | None:
    """How far the largest SUV is off, in % of the real one. None where the real one is not positive."""
    fake, real = _inside(fake, mask), _inside(real, mask)
    return _bias(float(fake.max()), float(real.max())) if fake.size else None


def ssim_map(fake: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of every voxel, float32 (Z, Y, X).

    Wang et al., IEEE Trans. Image Process. 13 (2004) 600, in 3D: Gaussian window of sigma 1.5 voxels and 11³ voxels,
    K1 = 0.01, K2 = 0.03, range 20 SUV, reflected at the borders. The same numbers as scikit-image's
    ``structural_similarity(..., gaussian_weights=True, use_sample_covariance=False, data_range=20, full=True)``.
    """
    result = np.empty(real.shape, np.float32)
    for slab, values in _ssim_slabs(fake, real):
        result[slab] = values
    return result


def ssim(fake: np.ndarray, real: np.ndarray, mask: np.ndarray | None = None) -> float | None:
    """Mean of ``ssim_map`` inside the mask."""
    return ssim_means(fake, real, {"": mask})[""]


def ssim_means(fake: np.ndarray, real: np.ndarray, masks: Mapping[Key, np.ndarray | None]) -> dict[Key, float | None]:
    """Mean of ``ssim_map`` inside each of several masks, in one pass that never holds the whole map."""
    sums = dict.fromkeys(masks, 0.0)
    counts = dict.fromkeys(masks, 0)
    for slab, values in _ssim_slabs(fake, real):
        for name, mask in masks.items():
            inside = values if mask is None else values[mask[slab]]
            sums[name] += float(inside.sum())
            counts[name] += inside.size
    return {name: _finite(sums[name] / counts[name]) if counts[name] else None for name in masks}


def _ssim_slabs(fake: np.ndarray, real: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """The map in slabs along Z. In float64: variances by difference of squares cancel where a hot region is flat."""
    c1, c2 = (0.01 * DATA_RANGE_SUV) ** 2, (0.03 * DATA_RANGE_SUV) ** 2
    depth = real.shape[0]
    for start in range(0, depth, _SLAB):
        stop = min(start + _SLAB, depth)
        low, high = max(0, start - _RADIUS), min(depth, stop + _RADIUS)
        x, y = fake[low:high].astype(np.float64), real[low:high].astype(np.float64)
        inner = slice(start - low, stop - low)
        mean_x, mean_y = _smooth(x, inner), _smooth(y, inner)
        product, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        covariance = _smooth(x * y, inner) - product
        variances = _smooth(x * x + y * y, inner) - squares  # only their sum is needed
        yield slice(start, stop), (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))


def _smooth(slab: np.ndarray, inner: slice) -> np.ndarray:
    """The slices ``inner`` of the smoothed slab; along Z first, so that its margins cost one pass and not three."""
    if not slab.any():  # air
        return np.zeros_like(slab[inner])
    part = gaussian_filter1d(slab, SSIM_SIGMA, axis=0, truncate=_SSIM_TRUNCATE)[inner]
    for axis in (1, 2):
        part = gaussian_filter1d(part, SSIM_SIGMA, axis=axis, truncate=_SSIM_TRUNCATE)
    return part


def _inside(array: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    return array if mask is None else array[mask]


def _bias(fake: float, real: float) -> float | None:
    return _finite(100.0 * (fake - real) / real) if real > 0 else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def region_metrics(
    fake: np.ndarray, real: np.ndarray, regions: Mapping[str, np.ndarray], volume_of: str
) -> dict[str, dict[str, float | None]]:
    """All metrics of every region (bool masks). The region ``volume_of`` also gets those over the whole volume, air
    included, as ``mae_volume``, ``psnr_volume`` and ``ssim_volume``."""
    similarity = ssim_means(fake, real, {**regions, None: None})
    result = {}
    for name, mask in regions.items():
        box = Box.around(mask) or Box((0, 0, 0), (0, 0, 0))
        x, y, part = fake[box.slices], real[box.slices], mask[box.slices]
        result[name] = {
            "mae": mae(x, y, part),
            "psnr": psnr(x, y, part),
            "ssim": similarity[name],
            "suv_mean_bias": suv_mean_bias(x, y, part),
            "suv_max_bias": suv_max_bias(x, y, part),
        }
    if volume_of in result:
        whole = {"mae": mae(fake, real), "psnr": psnr(fake, real), "ssim": similarity[None]}
        result[volume_of].update({f"{metric}_volume": value for metric, value in whole.items()})
    return result
