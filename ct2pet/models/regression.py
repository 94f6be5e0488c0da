"""Regression: Pix2Pix's generator alone, trained on the L1 distance: what an adversarial loss must beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from ct2pet.dataset import Fields
from ct2pet.losses import masked_l1
from ct2pet.models.base import Batch, Hyperparameters, ImageTranslation, Progress, Update
from ct2pet.networks import zero_init_last_layer
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import NetworkNeed, Requirements
from ct2pet.schema import Positive


@dataclass(frozen=True)
class RegressionHyperparameters(Hyperparameters):
    """The learning rate of Pix2Pix's generator, so that the two differ in the loss alone."""

    learning_rate: Positive = 1e-3


class Regression(ImageTranslation):
    """Paired translation without a discriminator."""

    inference_networks = ("generator",)
    Hyperparameters = RegressionHyperparameters
    requirements = Requirements(
        networks={"generator": NetworkNeed()}, hyperparameters=asdict(RegressionHyperparameters())
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.generator = zero_init_last_layer(self.network("generator"))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": self.adam(self.generator.parameters())}

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        ct, real_pet, mask, _ = self.images(batch)
        l1 = masked_l1(self.generator(ct), real_pet, mask)
        yield Update("generator", l1, {"g_l1": l1})

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.generator(inputs)


MODEL = Regression
