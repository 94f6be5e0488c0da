"""A CT and its district map to a whole-body PET in SUV."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from ct2pet.errors import Ct2PetError, DatasetError, GeometryError
from ct2pet.inference.bfloat16 import TOLERANCE_SUV
from ct2pet.inference.stages import translate_volume
from ct2pet.inference.stitching import Stitcher
from ct2pet.models.base import Model
from ct2pet.planning.plans import Configuration, Masking
from ct2pet.preprocessing import PreparedDistrict, prepare_ct
from ct2pet.preprocessing.case_on_grid import visible
from ct2pet.preprocessing.normalization import denormalize_pet
from ct2pet.resampling import resample, resample_part
from ct2pet.volume import Box, Grid, Volume

Progress = Callable[[float], None]


@dataclass(frozen=True)
class DistrictModels:
    """The trained ``models`` of one district (one a fold: their mean is the prediction) and its configuration."""

    name: str
    configuration: Configuration
    models: Sequence[Model]


class Predictor:
    """Translates every district by overlapping windows and stitches them.

    ``step_size``: the share of a window from one to the next, in place of the plans' overlap. ``mirror``: average over
    the flips that the configuration allows (``mirror_axes``). ``blend_mm``: see Stitcher. ``float32``: do not compute
    in bfloat16 where that is faster (see FastTranslation); all that surrounds the networks is in float32 in any case.
    """

    def __init__(
        self,
        districts: Sequence[DistrictModels],
        *,
        blend_mm: float = 0.0,
        device: str | torch.device = "cpu",
        step_size: float | None = None,
        mirror: bool = True,
        float32: bool = False,
    ) -> None:
        self.districts, self.blend_mm, self.mirror, self.float32 = list(districts), blend_mm, mirror, float32
        self.device, self.step_size = torch.device(device), step_size
        for district in self.districts:
            for model in district.models:
                model.to(self.device).eval()

    @torch.inference_mode()
    def predict(self, ct: Volume, district_map: Volume, output_grid: Grid, progress: Progress | None = None) -> Volume:
        """The synthetic PET (SUV, float32, never negative, 0 outside the districts) on ``output_grid``.

        ``ct`` (HU) and ``district_map`` (labels) may lie on different grids; all grids may have any orientation.
        ``progress`` is told shares of the work that add up to 1. Raises GeometryError where the map does not overlap
        the CT, DatasetError where none of the districts occurs in the map.
        """
        if ct.grid.overlap(district_map.grid) == 0:
            raise GeometryError("the district map does not overlap the CT in space")
        ct, district_map, target = ct.to_canonical(), district_map.to_canonical(), output_grid.to_canonical()
        stitcher = Stitcher(resample(district_map, target, labels=True), self.blend_mm)
        occurs = False
        for district in self.districts:
            pet_suv = self._translate(district, ct, district_map, progress)
            if pet_suv is not None:
                stitcher.add(pet_suv, district.configuration.labels)
                occurs = True
        if not occurs:
            names = ", ".join(district.name for district in self.districts)
            raise DatasetError(f"the district map holds no voxel of {names}; are its labels those of the training?")
        return stitcher.result().reorient_like(output_grid)

    def _translate(
        self, district: DistrictModels, ct: Volume, district_map: Volume, progress: Progress | None
    ) -> Volume | None:
        """The PET (SUV) of one district on the plan's grid around it; None where it does not occur."""
        share = 1 / len(self.districts)
        configuration = district.configuration
        prepared = prepare_ct(ct, district_map, configuration)
        if prepared is None:
            if progress is not None:
                progress(share)
            return None
        region = self._region(prepared, district_map, configuration.masking)
        report = None if progress is None else lambda part: progress(part * share / len(district.models))
        window = configuration.pet_normalization
        tolerance = None if self.float32 else TOLERANCE_SUV / (window.upper_suv - window.lower_suv)
        pet = np.zeros(prepared.ct.shape, np.float32)
        for number, model in enumerate(district.models, start=1):
            own = translate_volume(
                model,
                prepared.ct,
                region,
                step_size=self.step_size,
                mirror=self.mirror,
                bfloat16_tolerance=tolerance,
                progress=report,
            )
            pet += (own - pet) / number  # a running mean: where all agree it is exactly what they say
        if not np.isfinite(pet).all():
            raise Ct2PetError(f"the model of {district.name} gave values that are not numbers; does the CT hold NaN?")
        pet_suv = denormalize_pet(pet, configuration.pet_normalization)
        return continued(Volume(pet_suv, prepared.grid, "SUV"), region, self.blend_mm / 2)

    def _region(self, prepared: PreparedDistrict, district_map: Volume, masking: Masking) -> np.ndarray:
        """Which voxels to translate: the district, and of its neighbours what is blended and what the network sees."""
        margin = min(self.blend_mm / 2 + max(prepared.grid.spacing), masking.margin_mm)
        if self.blend_mm == 0 or masking.kind == "hard" or margin == 0:
            return prepared.mask
        body = resample_part(district_map, prepared.grid, labels=True).array > 0
        return prepared.mask | (visible(prepared.mask, prepared.grid, Masking("context", margin)) & body)


def continued(volume: Volume, region: np.ndarray, margin_mm: float) -> Volume:
    """The volume with the value of the nearest voxel of ``region`` (bool, not empty) wherever it lies outside, on a
    grid that reaches ``margin_mm`` and two voxels farther.

    So neither interpolation at a district's edge nor blending meets what no network said.
    """
    margin = tuple(math.ceil(margin_mm / s) + 2 for s in volume.grid.spacing)
    box = Box(tuple(-m for m in margin), tuple(n + m for n, m in zip(volume.grid.shape, margin)))  # type: ignore[arg-type]
    around = [(m, m) for m in margin]
    outside = np.pad(~region, around, constant_values=True)
    nearest = distance_transform_edt(outside, sampling=volume.grid.spacing, return_distances=False, return_indices=True)
    return Volume(np.pad(volume.array, around)[tuple(nearest)], volume.grid.crop(box), volume.unit)
