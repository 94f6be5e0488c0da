"""The mean of the images that several trained models predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ct2pet.inference.predictor import Predictor, Volumes
from ct2pet.inference.volumes import Progress
from ct2pet.volume import Grid, Volume


class Ensemble:
    """Predicts with each of ``predictors`` (on one device) and averages their images, in their units, voxel by voxel.

    Each predictor stitches its own districts with its own plans; so methods, plans, and districts with the whole body
    can be averaged. One predictor alone gives its own predictions.
    """

    def __init__(self, predictors: Sequence[Predictor]) -> None:
        self.predictors = list(predictors)

    @property
    def device(self) -> torch.device:
        return self.predictors[0].device

    def predict(
        self,
        inputs: Mapping[str, Volume],
        district_map: Volume,
        output_grid: Grid,
        progress: Progress | None = None,
    ) -> Volumes:
        """As Predictor.predict; of several predictors the mean, float32."""
        share = 1 / len(self.predictors)
        part = None if progress is None else lambda done: progress(done * share)
        means: Volumes = {}
        for number, predictor in enumerate(self.predictors, start=1):
            for name, found in predictor.predict(inputs, district_map, output_grid, part).items():
                if name not in means:
                    means[name] = found
                else:  # a running mean: where all agree it is exactly what they say
                    mean = means[name].array
                    mean += (found.array - mean) / number
        return means
