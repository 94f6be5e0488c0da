"""From label maps to images: texture, the CT's blur and noise, the tracer and the PET's resolution."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from ct2pet.phantom.frame import Frame
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.scanner import Scanner
from ct2pet.phantom.tissues import AIR_HU, COUCH_FOAM_HU, COUCH_SHELL_HU, LABELS, TISSUES
from ct2pet.volume import Grid, Volume

FWHM = 2.3548200450309493
"""Full width at half maximum of a Gaussian, in standard deviations."""
_TEXTURE_MM = 14.0
_PROSTHESIS_MM = 760.0  # reference mm: the lower end of the stem of a hip prosthesis
_LOWEST_HU, _HIGHEST_HU = -1024, 3071


def separable(array: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    """Apply one matrix (out, in) along each axis Z, Y, X of an array."""
    for axis, matrix in enumerate(matrices):
        array = np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(array, dtype=np.float32)


def _axis(grid: Grid, axis: int) -> np.ndarray:
    return grid.origin[2 - axis] + np.arange(grid.shape[axis]) * grid.spacing[axis]


def smooth_texture(grid: Grid, random: np.random.Generator, node_mm: float = _TEXTURE_MM) -> np.ndarray:
    """float32 (Z, Y, X): a smooth random field of mean 0 and deviation about 1, fixed in space: cubic B-splines over a
    lattice of white noise with a value every ``node_mm``. The same ``random`` gives the same field on every grid."""
    low, reach = np.array([-700.0, -400.0, -400.0]), np.array([3000.0, 800.0, 800.0])
    nodes = [int(length / node_mm) for length in reach]
    lattice = random.standard_normal(nodes, dtype=np.float32)
    matrices, parts = [], []
    for axis in range(3):
        u = (_axis(grid, axis) - low[axis]) / node_mm
        first, last = max(0, int(u.min()) - 3), min(nodes[axis], int(u.max()) + 4)
        matrices.append(_cubic(u[:, None] - np.arange(first, last)[None, :]) * np.float32(1.444))
        parts.append(slice(first, last))
    return separable(lattice[tuple(parts)], matrices)


def _cubic(t: np.ndarray) -> np.ndarray:
    """The cubic B-spline, 0 from 2 on. Its squares sum up to 0.479 (1 / 1.444 squared) on average."""
    t = np.abs(t)
    near, far = 2 / 3 - t**2 + t**3 / 2, np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far).astype(np.float32)


def _table(values: list[float]) -> np.ndarray:
    table = np.zeros(256, dtype=np.float32)
    table[: len(values)] = values
    return table


def render_ct(
    patient: Patient,
    scanner: Scanner,
    organs: Volume,
    lesions: np.ndarray,
    texture: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """int16 (Z, Y, X) HU: the tissues' numbers with texture, visible lesions, couch, blur and noise."""
    mean = _table([AIR_HU, *(patient.hu[tissue.name] for tissue in TISSUES)])
    grain = _table([0.0, *(tissue.hu_texture for tissue in TISSUES)])
    couch, seen = _couch(organs.grid, patient), [lesion.hu for lesion in patient.lesions]
    heights = Frame(patient).z_to_reference(_axis(organs.grid, 0))
    right = _axis(organs.grid, 2)[None] < 0
    hu = np.empty(organs.grid.shape, dtype=np.float32)
    for k, labels in enumerate(organs.array):  # slice by slice: the temporaries of a whole CT would take gigabytes
        hu[k] = mean[labels] + grain[labels] * texture[k]
        if patient.hip_prosthesis and heights[k] > _PROSTHESIS_MM:
            hu[k][(labels == LABELS["femur"]) & right] = _HIGHEST_HU
        np.copyto(hu[k], couch, where=labels == 0)
        for number in np.unique(lesions[k][lesions[k] > 0]):
            shown = seen[number - 1]
            if shown is not None:
                hu[k][lesions[k] == number] = shown
    sigma = [scanner.ct_blur_mm / FWHM / spacing for spacing in organs.grid.spacing]
    gaussian_filter(hu, sigma, mode="nearest", truncate=3, output=hu)
    ct_hu = np.empty(hu.shape, dtype=np.int16)
    for k, slice_ in enumerate(hu):
        noisy = slice_ + _ct_noise(scanner, patient, slice_.shape, random)
        ct_hu[k] = np.clip(np.rint(noisy), _LOWEST_HU, _HIGHEST_HU)
    return ct_hu


def _ct_noise(scanner: Scanner, patient: Patient, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """One slice (Y, X) of noise: it increases with the attenuation along the rays, and the kernel correlates
    neighbouring pixels."""
    white = random.standard_normal(shape, dtype=np.float32)
    noise = 0.84 * white + 0.38 * (np.roll(white, 1, axis=0) + np.roll(white, 1, axis=1))
    return noise * np.float32(scanner.ct_noise_hu * (patient.weight_kg / 70) ** 0.5)


def couch_top(patient: Patient) -> float:
    """y (patient mm) of the couch under the patient's back."""
    return patient.depth * (98.0 + 1.1 * patient.fat + 4.0)


def _couch(grid: Grid, patient: Patient) -> np.ndarray:
    """One slice (Y, X) of HU without a patient: air, and a slightly hollow couch of carbon fibre and foam."""
    y, x = _axis(grid, 1)[:, None], _axis(grid, 2)[None, :]
    across = np.clip(1 - (x / 215) ** 2, 0, None)
    below = y - (couch_top(patient) - 12 * (1 - across))
    thickness = 34 * np.sqrt(across) + 8
    couch = (below >= 0) & (below <= thickness) & (across > 0)
    shell = couch & ((below < 5) | (below > thickness - 5))
    return np.where(shell, COUCH_SHELL_HU, np.where(couch, COUCH_FOAM_HU, AIR_HU)).astype(np.float32)


def activity_map(patient: Patient, organs: np.ndarray, lesions: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """float32 (Z, Y, X) SUV: the distribution of the tracer, before it is imaged."""
    mean = _table([0.0, *(patient.suv[tissue.name] for tissue in TISSUES)])
    grain = _table([0.0, *(tissue.suv_texture for tissue in TISSUES)])
    suv = mean[organs] * np.clip(1 + grain[organs] * texture, 0.1, None)
    for number, lesion in enumerate(patient.lesions, start=1):
        suv[lesions == number] = lesion.suv
    return suv


def seen_by_pet(activity: Volume, grid: Grid, psf_mm: float) -> np.ndarray:
    """float32 (Z, Y, X): each voxel of ``grid`` holds the mean, over its box, of ``activity`` spread by a Gaussian of
    FWHM ``psf_mm``. Exact integrals (error functions), one matrix an axis: inside the field of view the total
    activity is kept."""
    sigma = max(psf_mm, 1e-3) / FWHM
    matrices = []
    for axis in range(3):
        step_in, step_out = activity.grid.spacing[axis], grid.spacing[axis]
        distance = _axis(grid, axis)[:, None] - _axis(activity.grid, axis)[None, :]
        half_sum, half_difference = (step_out + step_in) / 2, (step_out - step_in) / 2
        ramps = [_ramp(distance + s, sigma) for s in (half_sum, -half_sum, half_difference, -half_difference)]
        matrices.append(((ramps[0] + ramps[1] - ramps[2] - ramps[3]) / step_out).astype(np.float32))
    return np.clip(separable(activity.array, matrices), 0, None)


def _ramp(t: np.ndarray, sigma: float) -> np.ndarray:
    """The second integral of a Gaussian: max(t, 0) convolved with it."""
    u = t / sigma
    return t * 0.5 * (1 + erf(u / np.sqrt(2))) + sigma * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
