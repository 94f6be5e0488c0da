"""The ideal observer of lesions that a CT shows: the detectability of each lesion in noise and texture.

The observer has the position, size and CT number of a lesion and the mean CT of the patient (the Hotelling observer:
Barrett HH et al., Proc Natl Acad Sci USA 1993;90:9758-9765). Its decision variable, a prewhitened matched filter, has
two normal distributions, with and without the lesion, ``d`` standard deviations apart. Organs and vessels that look
like lesions have no effect on it: it is an upper bound for methods that only have the CT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from ct2pet.phantom import LABELS, TISSUES, Lesion, Patient, Scanner
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import FWHM, render_ct, smooth_texture
from ct2pet.resampling import resample
from ct2pet.volume import Grid, Volume

_REACH = 9  # voxels: noise and texture further apart are taken as independent
_EDGE = 0.02  # of the largest contrast of a lesion; voxels with less are left out
_MOST_VOXELS = 2500  # of a lesion; a random choice of more, which makes d a little smaller
_ROUNDING_HU2 = 1 / 12  # the variance from integer CT numbers
_TEXTURE_HU = {tissue.name: tissue.hu_texture for tissue in TISSUES}


@dataclass(frozen=True)
class Observed:
    """A ``lesion`` that the CT shows, its ``contrast`` with its tissue (HU), and its ``d``."""

    lesion: Lesion
    contrast: float
    d: float

    def found(self, false_positives: float, positions: float) -> float:
        """The probability that it is detected with a threshold that so many of so many other positions exceed."""
        return float(norm.sf(norm.isf(false_positives / positions) - self.d))


class Observer:
    """Of one scanner, on a grid of ``spacing`` (Z, Y, X, mm) as the network has it."""

    def __init__(self, scanner: Scanner, spacing: tuple[float, float, float], example: Patient) -> None:
        """``example``: any patient; noise and texture are measured on the grid of this patient's CT."""
        self.scanner, self.spacing = scanner, spacing
        organs, random = Anatomy(example).organs(scanner.ct_grid(example)), np.random.default_rng(0)
        even = organs.with_array(np.full_like(organs.array, LABELS["muscle"]))
        noise = _rendered(example, scanner, even) - _rendered(example, replace(scanner, ct_noise_hu=0.0), even)
        sigma = [scanner.ct_blur_mm / FWHM / step for step in organs.grid.spacing]
        texture = gaussian_filter(smooth_texture(organs.grid, random), sigma, truncate=3)
        noise /= scanner.ct_noise_hu * _noise_factor(example)
        self._noise, self._texture = (_autocovariance(self._seen(field, organs.grid)) for field in (noise, texture))

    def lesions(self, patient: Patient) -> list[Observed]:
        """Those lesions of a patient that the CT shows, each as if it were the only one."""
        organs = Anatomy(patient).organs(self.scanner.ct_grid(patient))
        quiet = replace(self.scanner, ct_noise_hu=0.0)
        healthy = _rendered(replace(patient, lesions=()), quiet, organs)
        found = []
        for lesion in patient.lesions:
            if lesion.hu is not None:
                contrast = _rendered(replace(patient, lesions=(lesion,)), quiet, organs) - healthy
                d = self._d(lesion, self._seen(contrast, organs.grid).array, patient)
                found.append(Observed(lesion, lesion.hu - patient.hu[lesion.host], d))
        return found

    def _seen(self, hu: np.ndarray, grid: Grid) -> Volume:
        return resample(Volume(hu, grid, "HU"), grid.with_spacing(self.spacing))

    def _d(self, lesion: Lesion, signal: np.ndarray, patient: Patient) -> float:
        voxels = np.argwhere(np.abs(signal) > _EDGE * np.abs(signal).max())
        if len(voxels) > _MOST_VOXELS:
            voxels = np.random.default_rng(0).choice(voxels, _MOST_VOXELS, replace=False)
        if not len(voxels):
            return 0.0
        apart = voxels[:, None] - voxels[None]
        near = (np.abs(apart) <= _REACH).all(-1)
        index = tuple(np.moveaxis(np.clip(apart, -_REACH, _REACH) + _REACH, -1, 0))
        noise_hu = self.scanner.ct_noise_hu * _noise_factor(patient)
        covariance = noise_hu**2 * self._noise[index] + _TEXTURE_HU[lesion.host] ** 2 * self._texture[index]
        covariance = np.where(near, covariance, 0.0) + _ROUNDING_HU2 * np.eye(len(voxels))
        values = signal[tuple(voxels.T)].astype(np.float64)
        return float(np.sqrt(max(0.0, values @ np.linalg.solve(covariance, values))))


def _rendered(patient: Patient, scanner: Scanner, organs: Volume) -> np.ndarray:
    """float32 (Z, Y, X): the CT without texture; always the same noise."""
    lesions, texture = Anatomy(patient).lesions(organs).array, np.zeros(organs.grid.shape, np.float32)
    return render_ct(patient, scanner, organs, lesions, texture, np.random.default_rng(1)).astype(np.float32)


def _noise_factor(patient: Patient) -> float:
    """The CT noise of a patient as a multiple of the scanner's, as ``render_ct`` makes it."""
    return (patient.weight_kg / 70) ** 0.5


def _autocovariance(field: Volume) -> np.ndarray:
    """float64 (2 reach + 1, cubed): the covariance of two voxels by their distance, 0 in the middle."""
    centred = field.array - field.array.mean()
    power = np.abs(np.fft.fftn(centred)) ** 2
    whole = np.fft.ifftn(power).real / centred.size
    return np.roll(whole, (_REACH,) * 3, (0, 1, 2))[tuple([slice(0, 2 * _REACH + 1)] * 3)]
