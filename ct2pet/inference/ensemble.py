"""The mean of the images predicted by several trained models."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ct2pet.inference.predictor import Predictor, Volumes
from ct2pet.inference.volumes import Progress
from ct2pet.volume import Grid, Volume


class Ensemble:
    """Predicts with each of ``predictors`` (on one device) and averages their images, in their units, voxel by voxel.

    Each predictor stitches its districts with its own plans, so that different methods, plans, and districts with the
    whole body can be averaged. A single predictor's predictions are not changed.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self.predictors = list(predictors)

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
        """As Predictor.predict, which empties ``inputs``; for several predictors the mean, float32."""
        share = 1 / len(self.predictors)
        part = None if progress is None else lambda done: progress(done * share)
        means: Volumes = {}
        for number, predictor in enumerate(self.predictors, start=1):
            own = inputs if number == len(self.predictors) else dict(inputs)
            for name, found in predictor.predict(own, district_map, output_grid, part).items():
                if name not in means:
                    means[name] = found
                else:  # a running mean: exact where all values are equal
                    mean = means[name].array
                    mean += (found.array - mean) / number
        return means
