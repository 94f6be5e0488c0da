"""Predictions of a case whose first input changes in few places: as full predictions, and much faster."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ct2pet.inference.predictor import DistrictView, Predictor, Volumes
from ct2pet.inference.remembered_windows import RememberedWindows
from ct2pet.inference.stitching import Stitcher
from ct2pet.inference.volumes import WindowOptions
from ct2pet.preprocessing.case_on_grid import image_on_grid, visible
from ct2pet.resampling import resample
from ct2pet.volume import Box, Grid, Volume, label_mask


@dataclass(frozen=True)
class _District:
    """A district of the case, where its networks see nothing (``hidden``, bool, on its grid), and what they predict of
    the inputs as they are."""

    view: DistrictView
    hidden: np.ndarray
    usual: Volumes


@dataclass(frozen=True)
class _Member:
    """A predictor, how its networks go over windows, and the districts of the case."""

    predictor: Predictor
    windows: WindowOptions
    districts: Sequence[_District]


class Reprediction:
    """The mean of ``predictors`` for one case: its first target, an image, on ``output_grid`` (canonical).

    ``usual`` is the prediction of the ``inputs`` (canonical, by name) as they are, ``districts`` the district map on
    the same grid. Networks compute in float32: of a small change, bfloat16 would hide a part. What networks answered to
    each window is kept in memory (see RememberedWindows). Raises DatasetError where no district occurs in the map.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor],
        inputs: Mapping[str, Volume],
        district_map: Volume,
        output_grid: Grid,
    ) -> None:
        self._leading, self._target = predictors[0].fields.inputs[0], predictors[0].fields.targets[0]
        self.districts = resample(district_map, output_grid, labels=True)
        self._members = [_member(predictor, inputs, district_map) for predictor in predictors]
        everything = Box((0, 0, 0), output_grid.shape)
        self.usual = self.districts.with_array(self._predicted(None, everything), self._target.rules.unit)

    def with_image(self, image: Volume, box: Box) -> np.ndarray:
        """The prediction (float32, Z, Y, X) in a ``box`` of ``usual`` with ``image``, on the grid of the first input,
        in place of it."""
        return self._predicted(image, box)

    def _predicted(self, image: Volume | None, box: Box) -> np.ndarray:
        found = [self._stitched(member, image, box) for member in self._members]
        return np.asarray(np.mean(found, axis=0, dtype=np.float32))

    def _stitched(self, member: _Member, image: Volume | None, box: Box) -> np.ndarray:
        """As Predictor.predict, in a box."""
        blend_mm, grid = member.predictor.blend_mm, self.districts.grid
        reach = tuple(math.ceil(blend_mm / 2 / s) + 2 for s in grid.spacing)
        wider = box.grown(reach, grid.shape)  # type: ignore[arg-type]
        near = self.districts.crop(wider)
        stitcher = Stitcher(near, blend_mm, self._target.rules.outside)
        for district in member.districts:
            labels = district.view.district.configuration.labels
            if label_mask(near.array, labels).any():
                found = district.usual if image is None else self._with_image(member, district, image)
                stitcher.add(found[self._target.name], labels)
        inner = tuple(slice(a - b, a - b + n) for a, b, n in zip(box.start, wider.start, box.shape))
        return stitcher.result().array[inner]

    def _with_image(self, member: _Member, district: _District, image: Volume) -> Volumes:
        view, name = district.view, self._leading.name
        plan = view.district.configuration.normalization[name]
        changed = image_on_grid(image, view.prepared.grid, district.hidden, self._leading.rules.outside, plan)
        images = view.prepared.images
        if np.array_equal(changed, images[name]):
            return district.usual
        return member.predictor.predict_view(view, {**images, name: changed}, member.windows)


def _member(predictor: Predictor, inputs: Mapping[str, Volume], district_map: Volume) -> _Member:
    remembered = RememberedWindows()
    windows = replace(predictor.windows, bfloat16=False, remembered=remembered)
    found = []
    for district in predictor.districts:
        view = predictor.view(district, inputs, district_map)
        if view is not None:
            prepared = view.prepared
            hidden = ~visible(prepared.mask, prepared.grid, district.configuration.masking)
            found.append(_District(view, hidden, predictor.predict_view(view, prepared.images, windows)))
    if not found:
        raise predictor.nothing_to_predict()
    remembered.learning = False
    return _Member(predictor, windows, found)
