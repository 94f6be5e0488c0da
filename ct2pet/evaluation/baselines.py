"""Four trivial baselines, reported with every result as a reference.

``zeros`` and ``body_median`` do not use the real PET of the case; ``blurred`` and ``shifted`` are made from it and show
the error of a lower resolution or a small misregistration alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.ndimage import gaussian_filter

from ct2pet.volume import Triple

BLUR_FWHM_MM = 6.0
SHIFT_MM = 5.0
NAMES = ("zeros", "body_median", "blurred", "shifted")
BLIND = ("zeros", "body_median")  # those that do not use the real PET

_BINS_PER_SUV = 1000
_LARGEST_SUV = 100


def baselines(
    real: np.ndarray, spacing: Triple, body_mask: np.ndarray, body_median_suv: float
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and the PET (Z, Y, X, SUV) of each baseline, one after another to limit memory.

    ``real`` is the real PET, ``spacing`` its voxel size (Z, Y, X, mm). ``body_median`` is a constant:
    ``body_median_suv`` inside ``body_mask`` and 0 outside.
    """
    yield "zeros", np.zeros_like(real)
    yield "body_median", body_mask * np.float32(body_median_suv)
    yield "blurred", blurred(real, spacing)
    yield "shifted", shifted(real, spacing)


def blurred(real: np.ndarray, spacing: Triple, fwhm_mm: float = BLUR_FWHM_MM) -> np.ndarray:
    """The PET smoothed by a Gaussian of ``fwhm_mm``; constant in, constant out."""
    sigma_mm = fwhm_mm / np.sqrt(8 * np.log(2))
    return gaussian_filter(real, [sigma_mm / size for size in spacing], mode="nearest")


def shifted(real: np.ndarray, spacing: Triple, shift_mm: float = SHIFT_MM) -> np.ndarray:
    """The PET moved towards the last slice (the head) by ``shift_mm``, linearly between slices; the first slice is
    repeated at the start."""
    whole, part = divmod(shift_mm / spacing[0], 1.0)
    index = np.arange(real.shape[0]) - int(whole)
    moved = real[np.maximum(index, 0)]
    if part > 1e-6:
        moved *= np.float32(1 - part)
        moved += np.float32(part) * real[np.maximum(index - 1, 0)]
    return moved


def suv_histogram(pet_suv: np.ndarray) -> np.ndarray:
    """SUV values rounded to 0.001, up to 100 SUV, and how often each occurs: [[bins], [counts]] without empty bins,
    small enough to keep those of thousands of cases."""
    bins = np.clip(np.rint(pet_suv * _BINS_PER_SUV), 0, _LARGEST_SUV * _BINS_PER_SUV)
    counts = np.bincount(bins.astype(np.int32).ravel())
    found = np.flatnonzero(counts)
    return np.stack([found, counts[found]]).astype(np.int32)


def pooled_median(histograms: Iterable[np.ndarray]) -> float:
    """The median SUV (to 0.001) of all voxels in the histograms together; 0 where there are none."""
    counts = np.zeros(_LARGEST_SUV * _BINS_PER_SUV + 1, np.int64)
    for bins, own in histograms:
        counts[bins] += own
    below = np.cumsum(counts)
    total = int(below[-1])
    if not total:
        return 0.0
    middle = np.searchsorted(below, [(total - 1) // 2, total // 2], side="right")
    return float(middle.mean()) / _BINS_PER_SUV
