"""CycleGAN in 3D: two translations, CT to PET and back, learnt from patches that need not belong together.

Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", ICCV 2017; for
CT-to-PET by district: arXiv 2503.15555. No identity loss: a CT is no PET.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ct2pet.dataset import Fields
from ct2pet.losses import AdversarialLoss, masked_l1
from ct2pet.models._image_pool import ImagePool
from ct2pet.models.base import Batch, Hyperparameters, ImageTranslation, Progress, Update, frozen
from ct2pet.networks import zero_init_last_layer
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import INPUTS, TARGETS, NetworkNeed, Requirements
from ct2pet.schema import NotNegative, NotNegativeInt

_AIR = -1.0  # normalised CT outside the district, as in the patches


@dataclass(frozen=True)
class CycleGANHyperparameters(Hyperparameters):
    """The generators' loss is both adversarial losses + ``lambda_cycle`` x the L1 distances of the two cycles, in
    normalised units. The discriminators see fakes of the last updates from a pool of ``pool_size`` patches."""

    lambda_cycle: NotNegative = 10.0
    pool_size: NotNegativeInt = 50
    adversarial_loss: str = "lsgan"


class CycleGAN(ImageTranslation):
    """Unpaired translation: inputs with their mask and the target with its own come from different places."""

    inference_networks = ("generator",)
    Hyperparameters = CycleGANHyperparameters
    hyperparameters: CycleGANHyperparameters
    requirements = Requirements(
        networks={
            "generator": NetworkNeed(passes=2),
            "backward_generator": NetworkNeed(inputs=(TARGETS,), outputs=(INPUTS,), passes=2),
            "pet_discriminator": NetworkNeed("discriminator", inputs=(TARGETS,)),
            "ct_discriminator": NetworkNeed("discriminator", inputs=(INPUTS,)),
        },
        paired=False,
        hyperparameters=asdict(CycleGANHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.generator = zero_init_last_layer(self.network("generator"))
        self.backward_generator = zero_init_last_layer(self.network("backward_generator"))
        self.pet_discriminator = self.network("pet_discriminator")
        self.ct_discriminator = self.network("ct_discriminator")
        self.adversarial = AdversarialLoss(self.hyperparameters.adversarial_loss)
        self.pools = {name: ImagePool(self.hyperparameters.pool_size) for name in ("pet", "ct")}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        generators = [*self.generator.parameters(), *self.backward_generator.parameters()]
        discriminators = [*self.pet_discriminator.parameters(), *self.ct_discriminator.parameters()]
        return {"generators": self.adam(generators), "discriminators": self.adam(discriminators)}

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        ct, pet, mask, pet_mask = self.images(batch)
        real_ct, real_pet = only_inside(ct, mask, _AIR), only_inside(pet, pet_mask, 0.0)
        fake_pet = only_inside(self.generator(ct), mask, 0.0)
        fake_ct = only_inside(self.backward_generator(real_pet), pet_mask, _AIR)

        with frozen(self.pet_discriminator, self.ct_discriminator):
            adversarial_pet = self.adversarial(self.pet_discriminator(fake_pet), real=True)
            adversarial_ct = self.adversarial(self.ct_discriminator(fake_ct), real=True)
            cycle_ct = masked_l1(self.backward_generator(fake_pet), ct, mask)
            cycle_pet = masked_l1(self.generator(fake_ct), pet, pet_mask)
            loss = adversarial_pet + adversarial_ct + self.hyperparameters.lambda_cycle * (cycle_ct + cycle_pet)
            parts = {"g_adversarial_pet": adversarial_pet, "g_adversarial_ct": adversarial_ct}
            yield Update("generators", loss, parts | {"g_cycle_ct": cycle_ct, "g_cycle_pet": cycle_pet})

        d_pet = self._discriminate(self.pet_discriminator, real_pet, self.pools["pet"].exchange(fake_pet))
        d_ct = self._discriminate(self.ct_discriminator, real_ct, self.pools["ct"].exchange(fake_ct))
        yield Update("discriminators", d_pet + d_ct, {"d_pet": d_pet, "d_ct": d_ct})

    def _discriminate(self, discriminator: torch.nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        cost = self.adversarial(discriminator(real), real=True) + self.adversarial(discriminator(fake), real=False)
        return cost / 2

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.generator(inputs)

    def training_state(self) -> dict[str, Any]:
        return {name: pool.images for name, pool in self.pools.items()}

    def load_training_state(self, state: dict[str, Any]) -> None:
        for name, pool in self.pools.items():
            pool.images = list(state[name])


def only_inside(image: torch.Tensor, mask: torch.Tensor, outside: float) -> torch.Tensor:
    """The image inside the mask (bool), ``outside`` elsewhere."""
    return torch.where(mask, image, torch.full_like(image, outside))


MODEL = CycleGAN
