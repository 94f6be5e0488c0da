"""The counts of a PET scan: Poisson in number, thinned for a lower dose, reconstructed to SUV."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ct2pet.dataset.low_dose import check_dose_fraction
from ct2pet.errors import DatasetError
from ct2pet.phantom.imaging import FWHM
from ct2pet.phantom.scanner import Scanner
from ct2pet.volume import Grid


@dataclass(frozen=True)
class Acquisition:
    """The counts of one scan, before its reconstruction.

    ``counts`` (Z, Y, X): int64, or the expected SUV in float32 where ``counts_per_suv`` is infinite (no noise).
    ``counts_per_suv``: the expected counts of a voxel of SUV 1. ``filter_mm``: FWHM of the reconstruction's Gaussian.
    """

    counts: np.ndarray
    counts_per_suv: float
    grid: Grid
    filter_mm: float

    def thinned(self, dose_fraction: float, random: np.random.Generator) -> Acquisition:
        """The same scan with a lower dose: each count is kept with the probability ``dose_fraction``.

        Kept counts of a Poisson process are a Poisson process of ``dose_fraction`` times its rate, and a subset of the
        counts of this scan, as the events of 15 s are a subset of those of 300 s (thinning; Kingman JFC, Poisson
        Processes, Oxford 1993, section 5.1). Over equal expected counts, their correlation with the counts of this scan
        is the square root of ``dose_fraction``. 1 keeps all. Raises DatasetError where the fraction is not above 0 and
        at most 1, or where the scan has no noise.
        """
        check_dose_fraction(dose_fraction)
        if not np.isfinite(self.counts_per_suv):
            raise DatasetError("a scan of infinite dose has no counts: no lower dose can be drawn from it")
        kept = random.binomial(self.counts, dose_fraction)
        return replace(self, counts=kept, counts_per_suv=self.counts_per_suv * dose_fraction)

    def image(self) -> np.ndarray:
        """float32 (Z, Y, X) SUV: counts over sensitivity, then the filter."""
        pet_suv = self.counts
        if np.isfinite(self.counts_per_suv):
            pet_suv = (self.counts / self.counts_per_suv).astype(np.float32)
        sigma = [self.filter_mm / FWHM / spacing for spacing in self.grid.spacing]
        return gaussian_filter(pet_suv, sigma, mode="constant")


def acquire(
    pet_suv: np.ndarray, grid: Grid, scanner: Scanner, weight_kg: float, random: np.random.Generator
) -> Acquisition:
    """Poisson counts of the expected image (SUV, Z, Y, X) of a patient of ``weight_kg``; without noise for an infinite
    dose."""
    counts_per_suv = scanner.counts * scanner.dose_fraction * grid.voxel_ml * min(1.5, 70.0 / weight_kg)
    counts = random.poisson(pet_suv * counts_per_suv) if np.isfinite(counts_per_suv) else pet_suv
    return Acquisition(counts, counts_per_suv, grid, scanner.filter_mm)
