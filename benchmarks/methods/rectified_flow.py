"""A regression, then a rectified flow from its PET to samples of PETs that are as sharp as real ones.

Ohayon et al., "Posterior-mean rectified flow", ICLR 2025, arXiv 2410.00418. The first network estimates the posterior
mean (mean squared error); the second one the velocity that moves this mean, plus Gaussian noise, to a real PET along
straight lines. Its inputs are the moved PET, the mean and the time. It is not a method of ct2pet:
benchmarks/posterior.py measures its effect.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from ct2pet.dataset import Fields
from ct2pet.losses import masked_l2
from ct2pet.models.base import (
    Batch,
    ImageTranslation,
    PredictionModel,
    Progress,
    StagedHyperparameters,
    StagedMethod,
    Update,
)
from ct2pet.models.base.staged import draft_configuration, draft_fields
from ct2pet.models.regression import Regression
from ct2pet.networks import zero_init_last_layer
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import INPUTS, TARGETS, NetworkNeed, Requirements
from ct2pet.preprocessing.normalization import from_input
from ct2pet.schema import Count, NotNegative, NotNegativeInt, Positive


@dataclass(frozen=True)
class FlowHyperparameters(StagedHyperparameters):
    """``noise``: standard deviation of the noise that the flow begins with, in normalised PET units. ``flow_steps``: of
    Euler's method at prediction. ``sample``: which sample is predicted; the same number gives the same one."""

    learning_rate: Positive = 1e-3
    noise: NotNegative = 0.05
    flow_steps: Count = 5
    sample: NotNegativeInt = 0


class PosteriorMean(Regression):
    """Stage 1: the regression with the mean squared error, whose minimum is the posterior mean."""

    Hyperparameters = FlowHyperparameters

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        ct, real_pet, mask, _ = self.images(batch)
        l2 = masked_l2(self.generator(ct), real_pet, mask)
        yield Update("generator", l2, {"g_l2": l2})


class Flow(ImageTranslation):
    """Stage 2: the velocity from the mean to a real PET."""

    inference_networks = ("velocity",)
    Hyperparameters = FlowHyperparameters
    hyperparameters: FlowHyperparameters
    requirements = Requirements(
        networks={"velocity": NetworkNeed(inputs=(INPUTS, TARGETS, TARGETS))},  # mean, moved PET, time x mean
        hyperparameters=asdict(FlowHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.velocity = zero_init_last_layer(self.network("velocity"))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"velocity": self.adam(self.velocity.parameters())}

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        mean, real_pet, mask, _ = self.images(batch)
        start = self._mean(mean) + self.hyperparameters.noise * torch.randn_like(mean)
        time = torch.rand(len(mean), *[1] * (mean.ndim - 1), device=mean.device)
        moved = start + time * (real_pet - start)
        l2 = masked_l2(self._velocity(mean, moved, time), real_pet - start, mask)
        yield Update("velocity", l2, {"g_l2": l2})

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        steps = self.hyperparameters.flow_steps
        moved = self._mean(inputs) + self.hyperparameters.noise * noise_of(inputs, self.hyperparameters.sample)
        for step in range(steps):
            time = inputs.new_full([1] * inputs.ndim, step / steps)
            moved = moved + self._velocity(inputs, moved, time) / steps
        return moved

    def _mean(self, draft: torch.Tensor) -> torch.Tensor:
        return from_input(draft, self.planned.normalization[self.target.name])

    def _velocity(self, mean: torch.Tensor, moved: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        # Instance norms remove a channel that is the time everywhere, but not a third image that is scaled by it.
        return self.velocity(torch.cat([mean, moved, time * mean], dim=1))


def noise_of(image: torch.Tensor, sample: int) -> torch.Tensor:
    """Gaussian noise (float32, the shape of ``image``) that depends only on each voxel's value and on ``sample``.

    Overlapping windows of one volume, also mirrored ones, then begin with the same noise, so that their mean is one
    sample. Voxels of equal value (outside the body) get equal noise.
    """
    bits = image.float().contiguous().view(torch.int32).to(torch.int64) & 0xFFFFFFFF
    first = _mixed(bits ^ _mixed(torch.tensor(2 * sample + 1, device=bits.device)))
    uniform = [(one.double() + 0.5) / 2**32 for one in (first, _mixed(first ^ 0x9E3779B9))]
    radius = torch.sqrt(-2 * torch.log(uniform[0]))
    return (radius * torch.cos(2 * math.pi * uniform[1])).float()  # Box and Muller, 1958


def _mixed(bits: torch.Tensor) -> torch.Tensor:
    """A one-to-one hash of 32 bits: the last step of Appleby's MurmurHash3."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = ((bits ^ (bits >> shift)) * factor) & 0xFFFFFFFF
    return bits ^ (bits >> 16)


class RectifiedFlow(StagedMethod):
    """Both stages."""

    Hyperparameters = FlowHyperparameters
    hyperparameters: FlowHyperparameters
    requirements = Requirements(
        stages={"mean": PosteriorMean.requirements, "flow": Flow.requirements},
        hyperparameters=asdict(FlowHyperparameters()),
    )

    def build_stages(self, configuration: Configuration, fields: Fields) -> dict[str, PredictionModel]:
        hparams = asdict(self.hyperparameters)
        drafts = draft_configuration(configuration, fields), draft_fields(fields)
        return {"mean": PosteriorMean(configuration, fields, hparams), "flow": Flow(*drafts, hparams)}


MODEL = RectifiedFlow
