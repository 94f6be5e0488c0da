"""The mean of the images predicted by several trained models, with the lesions of a further one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import torch

from ct2pet.inference.predictor import NothingToPredict, Predictor, Volumes
from ct2pet.inference.volumes import Progress
from ct2pet.volume import Grid, Volume

_LOWEST_SUV, _FULL_SUV = 1.0, 3.0  # documentation/explanation/experiments.md


class Ensemble:
    """Predicts with each of ``predictors`` (on one device) and averages their images, in their units, voxel by voxel.
    With a ``lesion_predictor``, the mean gets its lesions (``with_lesions``).

    Each predictor stitches its districts with its own plans, so that different methods, plans, and districts with the
    whole body can be averaged. A single predictor's predictions are not changed.
    """

    def __init__(self, predictors: Sequence[Predictor], lesion_predictor: Predictor | None = None) -> None:
        self.predictors, self.lesion_predictor = list(predictors), lesion_predictor

    @property
    def device(self) -> torch.device:
        return self.predictors[0].device

    def predict(
        self,
        inputs: Volumes,
        district_map: Volume,
        output_grid: Grid,
        progress: Progress | None = None,
    ) -> Volumes:
        """As Predictor.predict, which empties ``inputs``; for several predictors the mean, float32. Where a case has no
        district of the ``lesion_predictor``, the mean is the result."""
        last = self.lesion_predictor
        share = 1 / (len(self.predictors) + (last is not None))
        part = None if progress is None else lambda done: progress(done * share)
        means: Volumes = {}
        for number, predictor in enumerate(self.predictors, start=1):
            own = inputs if last is None and number == len(self.predictors) else dict(inputs)
            for name, found in predictor.predict(own, district_map, output_grid, part).items():
                if name not in means:
                    means[name] = found
                else:  # a running mean: exact where all values are equal
                    mean = means[name].array
                    mean += (found.array - mean) / number
        if last is not None:
            with contextlib.suppress(NothingToPredict):  # it may have one district only
                for name, found in last.predict(inputs, district_map, output_grid, part).items():
                    with_lesions(means[name].array, found.array)
        return means


def with_lesions(suv: np.ndarray, lesion_suv: np.ndarray) -> None:
    """Replace ``suv`` (Z, Y, X, float) in place by ``lesion_suv`` where this is at least 3 SUV higher, and by their
    mean, with a weight that increases from 0 to 1, where it is 1 to 3 SUV higher."""
    for here, there in zip(suv, lesion_suv):  # slice by slice, for little memory
        difference = there - here
        here += np.clip((difference - _LOWEST_SUV) / (_FULL_SUV - _LOWEST_SUV), 0, 1) * difference
