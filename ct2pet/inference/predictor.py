"""Whole-body predictions from input images and a district map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from ct2pet.dataset import Field, Fields
from ct2pet.errors import Ct2PetError, DatasetError, GeometryError
from ct2pet.inference.gaps import Gaps
from ct2pet.inference.stitching import LabelStitcher, Stitcher
from ct2pet.inference.volumes import Arrays, Progress, WindowOptions, predict_volume
from ct2pet.models.base import Method
from ct2pet.planning.configuration import Configuration, Masking
from ct2pet.preprocessing import PreparedDistrict, prepare_inputs
from ct2pet.preprocessing.case_on_grid import district_grid, visible
from ct2pet.preprocessing.normalization import denormalize
from ct2pet.resampling import resample
from ct2pet.volume import Box, Grid, Volume

Volumes = dict[str, Volume]


class NoDistrictInGrid(GeometryError):
    """The grid of a prediction contains no voxel of the districts."""


class NothingToPredict(DatasetError):
    """A district map has none of the districts of the models."""


@dataclass(frozen=True)
class DistrictModels:
    """The trained ``models`` of one district (one per fold; the prediction is their mean) and its configuration."""

    name: str
    configuration: Configuration
    models: Sequence[Method]


@dataclass(frozen=True)
class DistrictView:
    """A district of a case as its networks see it: the ``prepared`` inputs, and the ``region`` (bool, on their grid)
    that is predicted. ``blend_mm``: see Stitcher."""

    district: DistrictModels
    prepared: PreparedDistrict
    region: np.ndarray
    blend_mm: float

    @cached_property
    def continuation(self) -> Continuation:
        """How predictions are continued beyond the region."""
        return Continuation(self.prepared.grid, self.region, self.blend_mm / 2)


class Predictor:
    """Predicts every district by overlapping windows and stitches them.

    ``fields``: those of the plans. ``blend_mm``: see Stitcher. ``windows``: see WindowOptions; all computations outside
    the networks are in float32.
    """

    def __init__(
        self,
        districts: Sequence[DistrictModels],
        fields: Fields,
        *,
        blend_mm: float = 0.0,
        device: str | torch.device = "cpu",
        windows: WindowOptions | None = None,
    ) -> None:
        self.districts, self.fields, self.blend_mm = list(districts), fields, blend_mm
        self.device, self.windows = torch.device(device), windows or WindowOptions(mirror=True, bfloat16=True)
        for district in self.districts:
            for model in district.models:
                model.to(self.device).eval()

    @torch.inference_mode()
    def predict(
        self,
        inputs: Volumes,
        district_map: Volume,
        output_grid: Grid,
        progress: Progress | None = None,
    ) -> Volumes:
        """The targets by name on ``output_grid``: images in their unit, float32 (a PET is never negative and 0 outside
        the districts), and label maps.

        ``inputs`` (by name, in their units) and ``district_map`` (labels) may be on different grids of any orientation.
        ``inputs`` is emptied: its images are released before the networks of the last district compute. ``progress`` is
        called with shares of the work (sum 1). Raises GeometryError where the map does not overlap the first input or
        the output grid, NothingToPredict where none of the districts occurs in the map.
        """
        leading = self.fields.inputs[0].name
        if inputs[leading].grid.overlap(district_map.grid) == 0:
            raise GeometryError(f"the district map does not overlap the {leading}")
        images = {name: volume.to_canonical() for name, volume in inputs.items()}
        inputs.clear()
        district_map = district_map.to_canonical()
        on_output = resample(district_map, output_grid.to_canonical(), labels=True)
        if district_map.array.any() and not on_output.array.any():
            raise NoDistrictInGrid("the grid of the prediction contains no voxel of the districts")
        gaps = Gaps.of(on_output, self._predicted_grids(images[leading].grid, district_map), images[leading].grid)
        stitchers = {one.name: self._stitcher(one, gaps.district_map) for one in self.fields.targets}
        occurs = False
        for district in self.districts:
            found = self._predict_district(district, images, district_map, progress)
            for name, volume in (found or {}).items():
                stitchers[name].add(volume, district.configuration.labels)
            occurs |= found is not None
        if not occurs:
            raise self.nothing_to_predict()
        results = {name: stitcher.result() for name, stitcher in stitchers.items()}
        for volume in results.values():
            gaps.fill(volume.array)
        return {name: volume.reorient_like(output_grid) for name, volume in results.items()}

    def _predicted_grids(self, leading: Grid, district_map: Volume) -> list[tuple[Sequence[int], Grid | None]]:
        """The labels of each district, and the grid of its prediction; None where it does not occur."""
        grids: list[tuple[Sequence[int], Grid | None]] = []
        for configuration in (district.configuration for district in self.districts):
            grid = district_grid(leading, district_map, configuration)
            continued = None if grid is None else _continued(grid, self.blend_mm / 2)[0]
            grids.append((configuration.labels, continued))
        return grids

    def _stitcher(self, target: Field, district_map: Volume) -> Stitcher | LabelStitcher:
        if target.rules.is_labels:
            return LabelStitcher(district_map, np.min_scalar_type(target.num_channels - 1))
        return Stitcher(district_map, self.blend_mm, target.rules.outside)

    def nothing_to_predict(self) -> NothingToPredict:
        """The error where a district map has none of the districts."""
        names = ", ".join(district.name for district in self.districts)
        return NothingToPredict(
            f"the district map has no voxel of {names}; check that its labels are those of the training"
        )

    def view(self, district: DistrictModels, inputs: Mapping[str, Volume], district_map: Volume) -> DistrictView | None:
        """A district of a case (see ``predict``); None where it does not occur."""
        configuration = district.configuration
        prepared = prepare_inputs(inputs, district_map, configuration, self.fields)
        if prepared is None:
            return None
        return DistrictView(district, prepared, self._region(prepared, configuration.masking), self.blend_mm)

    @torch.inference_mode()
    def predict_view(self, view: DistrictView, images: Mapping[str, np.ndarray], windows: WindowOptions) -> Volumes:
        """The targets of one district from the ``images`` that its networks see (as ``view.prepared.images``), on the
        plan's grid around the district and what it is blended with."""
        found = predict_volume(view.district.models, images, view.region, windows)
        return view.continuation(self._volumes(found, view.prepared.grid, view.district))

    def _predict_district(
        self, district: DistrictModels, inputs: Volumes, district_map: Volume, progress: Progress | None
    ) -> Volumes | None:
        """The targets of one district on the plan's grid around it; None where it does not occur. The last district
        empties ``inputs``."""
        share = 1 / len(self.districts)
        view = self.view(district, inputs, district_map)
        if district is self.districts[-1]:
            inputs.clear()
        if view is None:
            if progress is not None:
                progress(share)
            return None
        report = None if progress is None else lambda part: progress(part * share)
        found = predict_volume(district.models, view.prepared.images, view.region, self.windows, progress=report)
        region, grid = view.region, view.prepared.grid
        del view  # its images are as large as what follows
        return Continuation(grid, region, self.blend_mm / 2)(self._volumes(found, grid, district))

    def _volumes(self, found: Arrays, grid: Grid, district: DistrictModels) -> Volumes:
        """The targets in their units; ``found`` is emptied."""
        return {
            one.name: Volume(self._in_units(one, found.pop(one.name), district), grid, one.rules.unit)
            for one in self.fields.targets
        }

    def _in_units(self, target: Field, array: np.ndarray, district: DistrictModels) -> np.ndarray:
        if target.rules.is_labels:
            return array
        if not np.isfinite(array).all():
            inputs = ", ".join(one.name for one in self.fields.inputs)
            raise Ct2PetError(f"the model of {district.name} predicted NaN; check the {inputs} for NaN")
        return denormalize(array, district.configuration.normalization[target.name])

    def _region(self, prepared: PreparedDistrict, masking: Masking) -> np.ndarray:
        """The voxels to predict: the district, and in its neighbourhood the blended and the context voxels."""
        margin = min(self.blend_mm / 2 + max(prepared.grid.spacing), masking.margin_mm)
        if self.blend_mm == 0 or masking.kind == "hard" or margin == 0:
            return prepared.mask
        return prepared.mask | (visible(prepared.mask, prepared.grid, Masking("context", margin)) & prepared.body)


class Continuation:
    """Volumes on ``grid`` with the value of the nearest voxel of ``region`` (bool, not empty) outside of it, on a grid
    that is larger by ``margin_mm`` and two voxels.

    Interpolation at a district's edge, the nearest voxel of a finer grid, and blending then only use predicted values.
    """

    def __init__(self, grid: Grid, region: np.ndarray, margin_mm: float) -> None:
        self._grid, self._around = _continued(grid, margin_mm)
        outside = np.pad(~region, self._around, constant_values=True)
        self._nearest = tuple(
            distance_transform_edt(outside, sampling=grid.spacing, return_distances=False, return_indices=True)
        )

    def __call__(self, volumes: Mapping[str, Volume]) -> Volumes:
        return {
            name: Volume(_taken(np.pad(one.array, self._around), self._nearest), self._grid, one.unit)
            for name, one in volumes.items()
        }


def _continued(grid: Grid, margin_mm: float) -> tuple[Grid, list[tuple[int, int]]]:
    """``grid`` larger by ``margin_mm`` and two voxels, and the added voxels at both ends of each axis."""
    margin = [math.ceil(margin_mm / s) + 2 for s in grid.spacing]
    box = Box(tuple(-m for m in margin), tuple(n + m for n, m in zip(grid.shape, margin)))  # type: ignore[arg-type]
    return grid.crop(box), [(m, m) for m in margin]


def _taken(array: np.ndarray, indices: Sequence[np.ndarray]) -> np.ndarray:
    """``array[indices]``, slice by slice: numpy makes the indices of all voxels 64 bits wide at once."""
    found = np.empty_like(array)
    for number in range(len(found)):
        found[number] = array[tuple(axis[number] for axis in indices)]
    return found
