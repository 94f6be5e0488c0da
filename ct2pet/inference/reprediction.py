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
class _Member:
    """A predictor, how its networks go over windows, and each district of the case with what they predicted of it."""

    predictor: Predictor
    windows: WindowOptions
    districts: Sequence[tuple[DistrictView, Volumes]]


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
        return np.mean([self._stitched(member, image, box) for member in self._members], axis=0, dtype=np.float32)

    def _stitched(self, member: _Member, image: Volume | None, box: Box) -> np.ndarray:
        """As Predictor.predict, in a box."""
        blend_mm, grid = member.predictor.blend_mm, self.districts.grid
        reach = tuple(math.ceil(blend_mm / 2 / s) + 2 for s in grid.spacing)
        wider = box.grown(reach, grid.shape)  # type: ignore[arg-type]
        near = self.districts.crop(wider)
        stitcher = Stitcher(near, blend_mm, self._target.rules.outside)
        for view, usual in member.districts:
            labels = view.district.configuration.labels
            if label_mask(near.array, labels).any():
                found = usual if image is None else self._with_image(member, view, usual, image)
                stitcher.add(found[self._target.name], labels)
        inner = tuple(slice(a - b, a - b + n) for a, b, n in zip(box.start, wider.start, box.shape))
        return stitcher.result().array[inner]

    def _with_image(self, member: _Member, view: DistrictView, usual: Volumes, image: Volume) -> Volumes:
        prepared, configuration, name = view.prepared, view.district.configuration, self._leading.name
        hidden = ~visible(prepared.mask, prepared.grid, configuration.masking)
        plan = configuration.normalization[name]
        changed = image_on_grid(image, prepared.grid, hidden, self._leading.rules.outside, plan)
        if np.array_equal(changed, prepared.images[name]):
            return usual
        return member.predictor.predict_view(view, {**prepared.images, name: changed}, member.windows)


def _member(predictor: Predictor, inputs: Mapping[str, Volume], district_map: Volume) -> _Member:
    remembered = RememberedWindows()
    windows = replace(predictor.windows, bfloat16=False, remembered=remembered)
    found = []
    for district in predictor.districts:
        view = predictor.view(district, inputs, district_map)
        if view is not None:
            found.append((view, predictor.predict_view(view, view.prepared.images, windows)))
    if not found:
        raise predictor.nothing_to_predict()
    remembered.learning = False
    return _Member(predictor, windows, found)
