"""Pix2Pix in 3D: a U-Net that translates CT to PET, and a PatchGAN that looks at the pair.

Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017; for CT-to-PET by district:
arXiv 2503.15555.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from ct2pet.dataset import Fields
from ct2pet.losses import AdversarialLoss, masked_l1, masked_l2
from ct2pet.models.base import Batch, Hyperparameters, ImageTranslation, Losses, Progress, Update, frozen
from ct2pet.models.base.translation import DISTRICT, check_region
from ct2pet.networks import initialize_discriminator, initialize_generator
from ct2pet.networks.initialization import ZERO_OUTPUT
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import INPUTS, TARGETS, NetworkNeed, Requirements
from ct2pet.schema import NotNegative, Positive


@dataclass(frozen=True)
class Pix2PixHyperparameters(Hyperparameters):
    """The loss of the generator is ``adversarial_loss`` + ``lambda_l1`` x L1 + ``lambda_l2`` x L2: the mean absolute
    and the mean squared difference, in normalised PET units.

    L1 alone (Isola et al.) counts an error of 10 SUV as much as ten of 1, and small hot places stay cold for long.
    ``loss_region``: which voxels all losses count: those of the ``district``, or all of the ``patch``.
    ``initialization``: see networks.initialization.
    """

    learning_rate: Positive = 1e-3
    discriminator_learning_rate: Positive = 2e-4
    lambda_l1: NotNegative = 100.0
    lambda_l2: NotNegative = 50.0
    adversarial_loss: str = "lsgan"
    loss_region: str = DISTRICT
    initialization: str = ZERO_OUTPUT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_region(self.loss_region)


class Pix2Pix(ImageTranslation):
    """Paired translation. The discriminator's input is CT and PET as two channels; the PET is 0 outside the loss."""

    inference_networks = ("generator",)
    Hyperparameters = Pix2PixHyperparameters
    hyperparameters: Pix2PixHyperparameters
    requirements = Requirements(
        networks={
            "generator": NetworkNeed(),
            "discriminator": NetworkNeed("discriminator", inputs=(INPUTS, TARGETS)),
        },
        hyperparameters=asdict(Pix2PixHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        start = self.hyperparameters.initialization
        self.generator = initialize_generator(self.network("generator"), start)
        self.discriminator = initialize_discriminator(self.network("discriminator"), start)
        self.adversarial = AdversarialLoss(self.hyperparameters.adversarial_loss)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "discriminator": self.adam(
                self.discriminator.parameters(), self.hyperparameters.discriminator_learning_rate
            ),
            "generator": self.adam(self.generator.parameters()),
        }

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        ct, real_pet, mask, _ = self.images_in(batch, self.hyperparameters.loss_region)
        fake_pet = self.checkpointed_forward(self.generator, ct)
        real_pair = torch.cat([ct, real_pet * mask], dim=1)
        fake_pair = torch.cat([ct, fake_pet * mask], dim=1)

        # One pass over both: instance norm treats every sample alone, so the scores are those of two passes.
        real_scores, fake_scores = self.discriminator(torch.cat([real_pair, fake_pair.detach()])).chunk(2)
        real_cost, fake_cost = self.adversarial(real_scores, real=True), self.adversarial(fake_scores, real=False)
        yield Update("discriminator", (real_cost + fake_cost) / 2, {"d_real": real_cost, "d_fake": fake_cost})

        with frozen(self.discriminator):
            adversarial = self.adversarial(self.discriminator(fake_pair), real=True)
            distance, parts = self.distance(fake_pet, real_pet, mask)
            yield Update("generator", adversarial + distance, {"g_adversarial": adversarial, **parts})

    def distance(
        self, fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, Losses]:
        """What the translated PET costs beside the adversarial loss, and the parts of it for the log."""
        l1, l2 = masked_l1(fake_pet, real_pet, mask), masked_l2(fake_pet, real_pet, mask)
        hparams = self.hyperparameters
        return hparams.lambda_l1 * l1 + hparams.lambda_l2 * l2, {"g_l1": l1, "g_l2": l2}

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.generator(inputs)


MODEL = Pix2Pix
