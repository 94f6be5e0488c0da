"""Occlusion analysis: a region of the input is hidden, and the predictions with and without it are compared.

Occlusion as in Zeiler and Fergus, ECCV 2014, with anatomical regions in place of squares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ct2pet.errors import DatasetError
from ct2pet.resampling import resample_part
from ct2pet.volume import Box, Volume

REPLACE, BLUR = "replace", "blur"
AROUND_MM = 30.0  # distance from the region within which its effect is measured
_BLUR_MM = 20.0  # full width at half maximum
_SOFTENING_MM = 5.0  # standard deviation; avoids steps in the filling
_FWHM = 2.3548

Predict = Callable[[Volume, Volume], Volume]
"""Maps an input image and a district map of a part of a case to the prediction on the grid of that part."""


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
    """Hides one region after another of an image. ``how``: REPLACE fills it with what surrounds it, BLUR smooths it.
    ``margin_mm``: how much of the surroundings is predicted, too; at least what a network sees at once."""

    predict: Predict
    how: str
    margin_mm: float

    def effect(
        self, region: str, mask: np.ndarray, image: Volume, district_map: Volume, change: np.ndarray
    ) -> RegionEffect | None:
        """The effect of a region; None where it has no voxel.

        ``mask``: bool, on the grid of ``image``; ``district_map`` may lie on another grid, both canonical. Into
        ``change`` (on the grid of ``image``) the prediction as it is minus that with the region hidden is written,
        inside the region.
        """
        box = Box.around(mask)
        if box is None:
            return None
        box = box.grown(tuple(round(self.margin_mm / s) for s in image.grid.spacing), image.grid.shape)  # type: ignore[arg-type]
        part, inside = image.crop(box), mask[box.slices]
        labels = resample_part(district_map, part.grid, labels=True)
        usual, hidden = (self.predict(one, labels).array for one in (part, hide(part, inside, self.how)))
        difference = usual - hidden
        change[box.slices][inside] = difference[inside]
        around = (distance_transform_edt(~inside, sampling=part.grid.spacing) <= AROUND_MM) & ~inside
        return RegionEffect(
            region,
            float(inside.sum()) * part.grid.voxel_ml,
            _mean(usual, inside),
            _mean(hidden, inside),
            _mean(np.abs(difference), inside),
            _mean(np.abs(difference), around & (labels.array > 0)),
        )


def hide(image: Volume, region: np.ndarray, how: str) -> Volume:
    """The image with ``region`` (bool, on its grid) hidden; voxels outside stay as they are.

    REPLACE: each voxel of the region gets the value of the nearest voxel outside, and the filling is smoothed. BLUR:
    the image after a Gaussian of 20 mm FWHM. Raises DatasetError where the region is the whole image.
    """
    array = image.array.astype(np.float32)
    if how == REPLACE:
        if region.all():
            raise DatasetError("the region is the whole image: nothing surrounds it that could take its place")
        nearest = distance_transform_edt(
            region, sampling=image.grid.spacing, return_distances=False, return_indices=True
        )
        filling, sigma_mm = array[tuple(nearest)], _SOFTENING_MM
    else:
        filling, sigma_mm = array, _BLUR_MM / _FWHM
    smooth = gaussian_filter(filling, [sigma_mm / step for step in image.grid.spacing], mode="nearest")
    return image.with_array(np.where(region, smooth, array), image.unit)


def _mean(values: np.ndarray, mask: np.ndarray) -> float:
    return float(values[mask].mean()) if mask.any() else float("nan")
