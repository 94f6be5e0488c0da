"""Occlusion analysis: a region of the input is hidden, and the predictions with and without it are compared.

Occlusion as in Zeiler and Fergus, ECCV 2014, with anatomical regions in place of squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ct2pet.errors import DatasetError
from ct2pet.inference.reprediction import Reprediction
from ct2pet.resampling import resample
from ct2pet.volume import Box, Volume

REPLACE, BLUR = "replace", "blur"
AROUND_MM = 30.0  # distance from the region within which its effect is measured
_BLUR_MM = 20.0  # full width at half maximum
_SOFTENING_MM = 5.0  # standard deviation; avoids steps in the filling
_FWHM = 2.3548
_TRUNCATE = 4.0  # standard deviations that a Gaussian reaches


@dataclass(frozen=True)
class RegionEffect:
    """How a prediction changes where a region of the input is hidden, in the prediction's unit: its mean in the region
    with the input as it is and with the region hidden, the mean absolute change inside the region, and that around it
    (within AROUND_MM, inside the districts)."""

    region: str
    volume_ml: float
    mean: float
    mean_hidden: float
    change_inside: float
    change_around: float


@dataclass(frozen=True)
class Occlusion:
    """Hides one region after another of ``image``, the first input (canonical), and measures ``prediction`` on its own
    grid. ``how``: REPLACE fills the region with what surrounds it, BLUR smooths it."""

    image: Volume
    prediction: Reprediction
    how: str

    def effect(self, region: str, mask: np.ndarray, change: np.ndarray) -> RegionEffect | None:
        """The effect of a region; None where it has no voxel.

        ``mask``: bool, on the grid of ``image``. Into ``change`` (on the grid of the prediction) the prediction as it
        is minus that with the region hidden is written, inside the region.
        """
        within = Box.around(mask)
        if within is None:
            return None
        usual = self.prediction.usual
        part = self.image.with_array(mask).crop(within)
        inside = resample(Volume(part.array.astype(np.uint8), part.grid), usual.grid, labels=True).array > 0
        if not inside.any():  # smaller than a voxel
            inside[_nearest_voxel(part, usual)] = True
        core = Box.around(inside)
        assert core is not None
        box = core.grown(_voxels(AROUND_MM, usual), usual.grid.shape)
        inside, before = inside[box.slices], usual.array[box.slices]
        hidden = self.prediction.with_image(hide(self.image, mask, self.how), box)
        difference = before - hidden
        change[box.slices][inside] = difference[inside]
        around = (distance_transform_edt(~inside, sampling=usual.grid.spacing) <= AROUND_MM) & ~inside
        around &= self.prediction.districts.array[box.slices] > 0
        return RegionEffect(
            region,
            float(np.count_nonzero(mask)) * self.image.grid.voxel_ml,
            _mean(before, inside),
            _mean(hidden, inside),
            _mean(np.abs(difference), inside),
            _mean(np.abs(difference), around),
        )


def hide(image: Volume, region: np.ndarray, how: str) -> Volume:
    """The image with ``region`` (bool, on its grid) hidden; voxels outside stay as they are.

    REPLACE: each voxel of the region gets the value of the nearest voxel outside, and the filling is smoothed. BLUR:
    the image after a Gaussian of 20 mm FWHM. Raises DatasetError where the region is the whole image.
    """
    box = Box.around(region)
    if box is None:
        return image
    if region.all() and how == REPLACE:
        raise DatasetError("the region is the whole image: nothing surrounds it that could take its place")
    sigma_mm = _SOFTENING_MM if how == REPLACE else _BLUR_MM / _FWHM
    box = box.grown(_voxels(_TRUNCATE * sigma_mm, image), image.grid.shape)
    inside, filling = region[box.slices], image.array[box.slices].astype(np.float32)
    if how == REPLACE:
        nearest = distance_transform_edt(
            inside, sampling=image.grid.spacing, return_distances=False, return_indices=True
        )
        filling = filling[tuple(nearest)]
    sigma = [sigma_mm / step for step in image.grid.spacing]
    smooth = gaussian_filter(filling, sigma, mode="nearest", truncate=_TRUNCATE)
    array = image.array.astype(np.float32)
    array[box.slices][inside] = smooth[inside]
    return image.with_array(array, image.unit)


def _voxels(distance_mm: float, volume: Volume) -> tuple[int, int, int]:
    """So many voxels along each axis reach farther than a distance."""
    return tuple(math.ceil(distance_mm / step) + 1 for step in volume.grid.spacing)  # type: ignore[return-value]


def _nearest_voxel(region: Volume, volume: Volume) -> tuple[int, ...]:
    """The voxel of ``volume`` that is nearest to the middle of a ``region`` (bool)."""
    middle = region.grid.affine @ np.r_[np.argwhere(region.array).mean(axis=0)[::-1], 1.0]
    index = np.linalg.solve(volume.grid.affine, middle)[2::-1]
    return tuple(int(np.clip(round(k), 0, n - 1)) for k, n in zip(index, volume.grid.shape))


def _mean(values: np.ndarray, mask: np.ndarray) -> float:
    return float(values[mask].mean()) if mask.any() else float("nan")
