"""Regression: Pix2Pix's generator alone, trained on the L1 distance, or on L1 and L2: what an adversarial loss must
beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from ct2pet.dataset import Fields
from ct2pet.losses import masked_l1, masked_l2
from ct2pet.models.base import Batch, Hyperparameters, ImageTranslation, Progress, Update
from ct2pet.networks import zero_init_last_layer
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import NetworkNeed, Requirements
from ct2pet.schema import NotNegative, Positive


@dataclass(frozen=True)
class RegressionHyperparameters(Hyperparameters):
    """The loss is L1 + ``lambda_l2`` x L2: the mean absolute and the mean squared difference, in normalised PET units.

    The optimum of L1 is the median of the probable values, that of L2 their mean. The learning rate is that of the
    generator of Pix2Pix, so that the two differ in the loss alone.
    """

    learning_rate: Positive = 1e-3
    lambda_l2: NotNegative = 0.0


class Regression(ImageTranslation):
    """Paired translation without a discriminator."""

    inference_networks = ("generator",)
    Hyperparameters = RegressionHyperparameters
    hyperparameters: RegressionHyperparameters
    requirements = Requirements(
        networks={"generator": NetworkNeed()}, hyperparameters=asdict(RegressionHyperparameters())
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.generator = zero_init_last_layer(self.network("generator"))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator": self.adam(self.generator.parameters())}

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        ct, real_pet, mask, _ = self.images(batch)
        fake_pet = self.generator(ct)
        l1, l2 = (loss(fake_pet, real_pet, mask) for loss in (masked_l1, masked_l2))
        yield Update("generator", l1 + self.hyperparameters.lambda_l2 * l2, {"g_l1": l1, "g_l2": l2})

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.generator(inputs)


MODEL = Regression
