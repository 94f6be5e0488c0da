"""The body in a PET alone: for data without a CT."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ct2pet.errors import DatasetError
from ct2pet.volume import Volume

_FWHM_MM = 14.0  # of the Gaussian that averages noise: 5% of a dose leaves a few counts a voxel
_FWHM = 2.3548200450309493  # of a Gaussian, in standard deviations
_SATURATION_SUV = 1.5  # what is hotter counts as this: brain, bladder and tumours must neither spread nor set the scale
_THRESHOLD = 0.23  # of the body's uptake: about half of that of the fat under the skin
_SMALLEST_PART = 0.003  # of the largest part: a hand, beside a whole body
_BINS = 3000


def pet_outline(pet_suv: Volume) -> Volume:
    """1 inside the patient, lungs and gas included, 0 outside; uint8, on the PET's grid.

    ``pet_suv``: (Z, Y, X), SUV of any dose, any orientation and part of the body. The PET is smoothed by a Gaussian of
    14 mm, and body is what lies above 23% of the body's own uptake; the largest parts stay, and axial slices are
    filled. The outline lies some millimetres outside the skin, and gaps of less than about 2 cm between limbs are
    closed. Raises DatasetError where the PET holds no uptake, or values that are no numbers.
    """
    oriented = pet_suv.to_canonical()
    if not np.isfinite(oriented.array).all():
        raise DatasetError("the PET holds values that are not a number or infinite")
    uptake = np.minimum(oriented.array, _SATURATION_SUV, dtype=np.float32)
    sigma = [_FWHM_MM / _FWHM / spacing for spacing in oriented.grid.spacing]
    ndimage.gaussian_filter(
        uptake, sigma, mode="nearest", truncate=3, output=uptake
    )  # the body goes on beyond the edge
    body = _largest_parts(uptake > _threshold(uptake))
    filled = np.stack([ndimage.binary_fill_holes(axial) for axial in body]).astype(np.uint8)
    outline = oriented.with_array(filled, "label").reorient_like(pet_suv.grid)
    return Volume(np.ascontiguousarray(outline.array), pet_suv.grid, "label")


def _threshold(uptake: np.ndarray) -> float:
    """The highest value that is ``_THRESHOLD`` times the body's uptake, where body is what lies above this value.

    The body's uptake is its median weighted by uptake: half of the activity lies in hotter voxels. Air that noise lifts
    above the threshold has little weight in it, whatever share of the image it takes, and approached from above the
    threshold stops before it sinks into the air.
    """
    counts, edges = np.histogram(uptake, _BINS, (0, _SATURATION_SUV))
    if not counts[1:].any():
        raise DatasetError("no body found in the PET: it holds no uptake")
    centres = (edges[1:] + edges[:-1]) / 2
    threshold, lower = np.inf, _THRESHOLD * centres[np.flatnonzero(counts)[-1]]
    while lower < threshold:
        threshold = lower
        activity = np.cumsum(np.where(centres > threshold, counts * centres, 0))
        lower = _THRESHOLD * centres[activity.searchsorted(activity[-1] / 2)]
    return float(threshold)


def _largest_parts(body: np.ndarray) -> np.ndarray:
    parts, _ = ndimage.label(body)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (sizes >= _SMALLEST_PART * sizes.max())[parts]
