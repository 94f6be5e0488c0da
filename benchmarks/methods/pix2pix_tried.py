"""Pix2Pix with other losses and PET transforms, for experiments; the default numbers are those of pix2pix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional

from ct2pet.losses import masked_l1
from ct2pet.models.base import Batch, Losses, Progress, Update
from ct2pet.models.pix2pix import Pix2Pix, Pix2PixHyperparameters


@dataclass(frozen=True)
class TriedHyperparameters(Pix2PixHyperparameters):
    """``uptake_weight``: the additional weight of a voxel's error for each unit of real PET. ``lambda_max``: weight of
    the L1 distance between the maxima of blocks of 3 x 3 x 3 voxels. ``knee``: PET is asinh(PET / knee) inside, with 1
    for 1; 0: linear. All in normalised units."""

    uptake_weight: float = 0.0
    lambda_max: float = 0.0
    knee: float = 0.0


class TriedPix2Pix(Pix2Pix):
    Hyperparameters = TriedHyperparameters
    hyperparameters: TriedHyperparameters

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        target = self.target.name
        yield from super().training_step({**batch, target: self.compressed(batch[target])}, progress)

    def distance(
        self, fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, Losses]:
        numbers = self.hyperparameters
        weight = 1 + numbers.uptake_weight * real_pet.clamp(min=0)
        loss, parts = super().distance(fake_pet * weight, real_pet * weight, mask)
        fake, real, inside = (local_maxima(image) for image in (fake_pet * mask, real_pet * mask, mask.float()))
        return loss + numbers.lambda_max * masked_l1(fake, real, inside > 0), parts

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.expanded(super().translate(inputs))

    def compressed(self, pet: torch.Tensor) -> torch.Tensor:
        knee = self.hyperparameters.knee
        return torch.asinh(pet / knee) / math.asinh(1 / knee) if knee else pet

    def expanded(self, pet: torch.Tensor) -> torch.Tensor:
        knee = self.hyperparameters.knee
        return torch.sinh(pet.float() * math.asinh(1 / knee)) * knee if knee else pet


def local_maxima(image: torch.Tensor) -> torch.Tensor:
    """The maximum of each block of 3 x 3 x 3 voxels."""
    return functional.max_pool3d(image.float(), 3, ceil_mode=True)


MODEL = TriedPix2Pix
