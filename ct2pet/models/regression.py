"""Regression: Pix2Pix's generator alone, trained on the L1 distance: what an adversarial loss must beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from ct2pet.losses import masked_l1
from ct2pet.models.base import Batch, Hyperparameters, Model, Update
from ct2pet.networks import build_network, zero_init_last_layer
from ct2pet.planning.plans import Configuration
from ct2pet.planning.requirements import Requirements


@dataclass(frozen=True)
class RegressionHyperparameters(Hyperparameters):
    """The learning rate of Pix2Pix's generator, so that the two differ in the loss alone."""

    learning_rate: float = 1e-3


class Regression(Model):
    """Paired translation without a discriminator."""

    inference_networks = ("generator",)
    Hyperparameters = RegressionHyperparameters
    requirements = Requirements(
        networks={"generator": 1}, passes={"generator": 1}, hyperparameters=asdict(RegressionHyperparameters())
    )

    def build(self, configuration: Configuration) -> None:
        self.generator = zero_init_last_layer(build_network(configuration.generator))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": self.adam(self.generator.parameters())}

    def training_step(self, batch: Batch) -> Iterator[Update]:
        l1 = masked_l1(self.generator(batch["ct"]), batch["pet"], batch["mask"])
        yield Update("generator", l1, {"g_l1": l1})

    def translate(self, ct: torch.Tensor) -> torch.Tensor:
        return self.generator(ct)


MODEL = Regression
