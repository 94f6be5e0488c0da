"""Errors and measurements of one region, from sums over its voxels. PETs are in SUV (g/ml).

Where a number is undefined (a region without voxels, a bias of a mean that is not positive) the result is None: it is
written as null and is not part of any average. Sums are computed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import numpy as np

from ct2pet.evaluation.agreement import concordance_of_moments

DATA_RANGE_SUV = 20.0


@dataclass(frozen=True)
class Sums:
    """The number of voxels ``n``, sums over them, and their largest values."""

    n: int = 0
    absolute_error: float = 0.0
    squared_error: float = 0.0
    real: float = 0.0
    fake: float = 0.0
    real_squared: float = 0.0
    fake_squared: float = 0.0
    product: float = 0.0
    similarity: float = 0.0
    real_max: float = -math.inf
    fake_max: float = -math.inf
    real_peak: float = -math.inf
    fake_peak: float = -math.inf

    @classmethod
    def of(cls, real: np.ndarray, fake: np.ndarray) -> Sums:
        """From the voxels of two arrays of equal shape; similarity and peaks remain empty."""
        if not real.size:
            return cls()
        error = fake - real
        return cls(
            n=real.size,
            absolute_error=_sum(np.abs(error)),
            squared_error=_sum(error * error),
            real=_sum(real),
            fake=_sum(fake),
            real_squared=_sum(real * real),
            fake_squared=_sum(fake * fake),
            product=_sum(real * fake),
            real_max=float(real.max()),
            fake_max=float(fake.max()),
        )

    @classmethod
    def together(cls, parts: Iterable[Sums]) -> Sums:
        """Of all parts as one region."""
        parts = [cls(), *parts]
        largest = {"real_max", "fake_max", "real_peak", "fake_peak"}
        names = [field.name for field in fields(cls)]
        return cls(**{name: (max if name in largest else sum)(getattr(part, name) for part in parts) for name in names})


def mae(sums: Sums) -> float | None:
    """Mean absolute error in SUV."""
    return sums.absolute_error / sums.n if sums.n else None


def rmse(sums: Sums) -> float | None:
    """Root of the mean squared error in SUV."""
    return math.sqrt(sums.squared_error / sums.n) if sums.n else None


def psnr(sums: Sums) -> float | None:
    """Peak signal-to-noise ratio in dB with a fixed range of 20 SUV. None without any error (it would be infinite)."""
    error = rmse(sums)
    return 20 * math.log10(DATA_RANGE_SUV / error) if error else None


def ccc(sums: Sums) -> float | None:
    """Lin's concordance correlation coefficient of the region's voxels. None where both PETs are the same constant."""
    if sums.n < 2:
        return None
    mean_real, mean_fake = sums.real / sums.n, sums.fake / sums.n
    variance_real = max(0.0, sums.real_squared / sums.n - mean_real**2)
    variance_fake = max(0.0, sums.fake_squared / sums.n - mean_fake**2)
    covariance = sums.product / sums.n - mean_real * mean_fake
    return concordance_of_moments(mean_real, mean_fake, variance_real, variance_fake, covariance)


def error_metrics(sums: Sums) -> dict[str, float | None]:
    """MAE, RMSE, PSNR, SSIM (the mean of the map) and CCC."""
    similarity = sums.similarity / sums.n if sums.n else None
    return {"mae": mae(sums), "rmse": rmse(sums), "psnr": psnr(sums), "ssim": similarity, "ccc": ccc(sums)}


def uptake(sums: Sums) -> dict[str, float | None]:
    """SUVmean, SUVmax and SUVpeak of both PETs, and their biases (see ``with_bias``)."""
    names = ("suv_mean", "suv_max", "suv_peak")
    if not sums.n:
        return with_bias(dict.fromkeys(names), dict.fromkeys(names))
    real = (sums.real / sums.n, sums.real_max, sums.real_peak)
    fake = (sums.fake / sums.n, sums.fake_max, sums.fake_peak)
    return with_bias(dict(zip(names, real)), dict(zip(names, fake)))


def with_bias(real: Mapping[str, float | None], fake: Mapping[str, float | None]) -> dict[str, float | None]:
    """``real_…`` and ``fake_…`` of each quantity, and ``…_bias``: the deviation of the fake in % of the real, None
    where the real one is not positive."""
    found: dict[str, float | None] = {}
    for name, value in real.items():
        other = fake[name]
        found[f"{name}_bias"] = None if other is None or not value or value < 0 else 100.0 * (other - value) / value
        found[f"real_{name}"], found[f"fake_{name}"] = value, other
    return found


def _sum(array: np.ndarray) -> float:
    return float(array.sum(dtype=np.float64))
