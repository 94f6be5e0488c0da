"""Predictions of images in memory: SimpleITK images, nibabel images, or ct2pet's own volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from ct2pet.api.device import choose_device
from ct2pet.dataset import Field
from ct2pet.dataset.fields import CT
from ct2pet.districts import check_districts, make_segmenter, segment_ct
from ct2pet.districts.merging import merge_of
from ct2pet.districts.whole_body import whole_body_map
from ct2pet.errors import Ct2PetError, GeometryError, ImageError
from ct2pet.imageio.nifti import header_grid
from ct2pet.inference.case_prediction import predictor_of
from ct2pet.inference.choice import Member, chosen_members
from ct2pet.inference.district_maps import segmenter_of_training
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.output_grids import OutputGrids
from ct2pet.resampling import to_itk
from ct2pet.volume import Grid, Volume

Image = Any  # SimpleITK.Image, a spatial image of nibabel, or Volume
_LPS_AND_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # converts between the axes of ITK and of NIfTI


class Predictor:
    """Trained models in memory, for one image after another. Made by ``from_folder``."""

    def __init__(self, member: Member, options: PredictionOptions) -> None:
        """A loaded model and how to predict with it; see PredictionOptions, without those for files."""
        self._plans, self._options = member.loaded.plans, options
        self._fields = self._plans.all_fields
        self._predictor = predictor_of([member], options, choose_device(options.device))
        self._grids = OutputGrids(member.loaded, options.grid, None)
        if not self._fields.inputs:
            raise Ct2PetError(f"{member.trained.model} synthesizes images without input images; use ct2pet.synthesize")

    @classmethod
    def from_folder(
        cls, model: str | Path | None = None, options: PredictionOptions | None = None, **changes: Any
    ) -> Predictor:
        """Load a model: the folder of a trained model, an archive of ``export_model``, or None for a model of the
        results folder chosen by ``options``. ``changes`` are PredictionOptions by name. Raises CheckpointError where
        none or several models match."""
        options = replace(options or PredictionOptions(), **changes)
        if model is not None:
            options = replace(options, model_paths=[model])
        with chosen_members(options) as members:
            if len(members) > 1:
                raise Ct2PetError("a Predictor holds one model; average the images of several yourself")
            return cls(members[0], options)

    def predict(self, image: Image | Mapping[str, Image], district_map: Image | None = None) -> Any:
        """The prediction of an image: of the same kind as ``image`` (SimpleITK, nibabel, or Volume), in SUV, on the
        grid of the option ``grid``; a dict by name for several targets.

        ``image``: a CT in HU, or the inputs by name where there are several. ``district_map``: labels on any grid;
        default: made by the segmenter of the training. Raises ImageError where an input has wrong values (a CT that is
        not in HU), GeometryError where an image is not a volume.
        """
        images = image if isinstance(image, Mapping) else {self._fields.inputs[0].name: image}
        missing = [one.name for one in self._fields.inputs if one.name not in images]
        if missing:
            raise ImageError(
                f"the model needs {', '.join(one.name for one in self._fields.inputs)}; {missing[0]} is missing"
            )
        inputs = {one.name: _checked(as_volume(images[one.name], one.rules.unit), one) for one in self._fields.inputs}
        first = self._fields.inputs[0].name
        labels = self._districts(inputs) if district_map is None else as_volume(district_map, "label")
        found = self._predictor.predict(inputs, labels, self._grids.of("", inputs[first].grid))
        results = {name: like(volume, images[first]) for name, volume in found.items()}
        return results if len(results) > 1 else next(iter(results.values()))

    def _districts(self, inputs: Mapping[str, Volume]) -> Volume:
        plans = self._plans
        if not plans.districts:
            body = None if plans.body_mask is None else self._fields[plans.body_mask]
            return whole_body_map(inputs[(body or self._fields.inputs[0]).name], body)
        ct = next((one.name for one in self._fields.inputs if one.kind == CT), self._fields.inputs[0].name)
        name = self._options.segmenter or segmenter_of_training(plans)
        merge = merge_of(plans.segmenters, name)
        segmenter = make_segmenter(name, device=self._options.device, weights=self._options.weights, merge=merge)
        check_districts(segmenter, plans.districts)
        return segment_ct(segmenter, "image", inputs[ct], plans.districts).district_map


def as_volume(image: Image, unit: str = "") -> Volume:
    """A volume (Z, Y, X; LPS) of a SimpleITK image, of a spatial image of nibabel (RAS), or a Volume itself. Raises
    GeometryError for images without three axes, ImageError for other objects and NIfTI without an orientation."""
    if isinstance(image, Volume):
        return Volume(image.array, image.grid, unit or image.unit)
    if isinstance(image, sitk.Image):
        if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
            raise GeometryError("expected an image of three axes with one value per voxel")
        shape = tuple(int(n) for n in image.GetSize()[::-1])
        spacing = tuple(float(mm) for mm in image.GetSpacing()[::-1])
        grid = Grid(shape, spacing, tuple(image.GetOrigin()), tuple(image.GetDirection()))  # type: ignore[arg-type]
        return Volume(_real(sitk.GetArrayFromImage(image)), grid, unit)
    if isinstance(image, nibabel.spatialimages.SpatialImage):
        if len(image.shape) != 3:
            raise GeometryError(f"expected an image of three axes, not of shape {image.shape}")
        array = np.asarray(image.dataobj).T
        is_nifti = isinstance(image, nibabel.Nifti1Image)  # of version 2, too
        grid = header_grid(image.header) if is_nifti else Grid.from_affine(array.shape, _LPS_AND_RAS @ image.affine)
        return Volume(_real(array), grid, unit)
    raise ImageError(f"expected a SimpleITK image, a nibabel image or a Volume, not {type(image).__name__}")


def like(volume: Volume, image: Image) -> Image:
    """A volume as an image of the same kind as ``image``."""
    if isinstance(image, sitk.Image):
        return to_itk(volume)
    if isinstance(image, Volume):
        return volume
    made = nibabel.Nifti1Image(np.ascontiguousarray(volume.array.T), _LPS_AND_RAS @ volume.grid.affine)
    made.header.set_xyzt_units("mm")
    return made


def _real(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _checked(volume: Volume, field: Field) -> Volume:
    problems = field.problems(volume.array)
    if problems:
        raise ImageError(f"{field.name}: {problems[0]}")
    return volume
