"""CycleGAN in 3D: two translations, CT to PET and back, learnt from patches that need not belong together.

Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks", ICCV 2017; for
CT-to-PET by district: arXiv 2503.15555. No identity loss: a CT is no PET.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ct2pet.dataset import Fields
from ct2pet.losses import AdversarialLoss, masked_l1
from ct2pet.models._image_pool import ImagePool
from ct2pet.models.base import Batch, Hyperparameters, ImageTranslation, Progress, Update, frozen
from ct2pet.models.base.translation import DISTRICT, check_region
from ct2pet.networks import initialize_discriminator, initialize_generator
from ct2pet.networks.initialization import ZERO_OUTPUT
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import INPUTS, TARGETS, NetworkNeed, Requirements
from ct2pet.preprocessing.normalization import outside_value
from ct2pet.schema import NotNegative, NotNegativeInt


@dataclass(frozen=True)
class CycleGANHyperparameters(Hyperparameters):
    """The generators' loss is both adversarial losses + ``lambda_cycle`` x the L1 distances of the two cycles, in
    normalised units. The discriminators see fakes of the last updates from a pool of ``pool_size`` patches.
    ``loss_region`` and ``initialization``: as of Pix2Pix."""

    lambda_cycle: NotNegative = 10.0
    pool_size: NotNegativeInt = 50
    adversarial_loss: str = "lsgan"
    loss_region: str = DISTRICT
    initialization: str = ZERO_OUTPUT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_region(self.loss_region)


class CycleGAN(ImageTranslation):
    """Unpaired translation: inputs with their mask and the target with its own come from different places."""

    inference_networks = ("generator",)
    Hyperparameters = CycleGANHyperparameters
    hyperparameters: CycleGANHyperparameters
    requirements = Requirements(
        networks={
            "generator": NetworkNeed(passes=2, own_plan="cyclegan_generator"),
            "backward_generator": NetworkNeed(
                inputs=(TARGETS,), outputs=(INPUTS,), passes=2, own_plan="cyclegan_generator"
            ),
            "pet_discriminator": NetworkNeed("discriminator", inputs=(TARGETS,)),
            "ct_discriminator": NetworkNeed("discriminator", inputs=(INPUTS,)),
        },
        paired=False,
        hyperparameters=asdict(CycleGANHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        start = self.hyperparameters.initialization
        self.generator = initialize_generator(self.network("generator"), start)
        self.backward_generator = initialize_generator(self.network("backward_generator"), start)
        self.pet_discriminator = initialize_discriminator(self.network("pet_discriminator"), start)
        self.ct_discriminator = initialize_discriminator(self.network("ct_discriminator"), start)
        windows = configuration.normalization
        self.air = [outside_value(one.rules.outside, windows[one.name]) for one in fields.inputs]
        self.adversarial = AdversarialLoss(self.hyperparameters.adversarial_loss)
        self.pools = {name: ImagePool(self.hyperparameters.pool_size) for name in ("pet", "ct")}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        generators = [*self.generator.parameters(), *self.backward_generator.parameters()]
        discriminators = [*self.pet_discriminator.parameters(), *self.ct_discriminator.parameters()]
        return {"generators": self.adam(generators), "discriminators": self.adam(discriminators)}

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        ct, pet, mask, pet_mask = self.images_in(batch, self.hyperparameters.loss_region)
        real_ct, real_pet = only_inside(ct, mask, self.air), only_inside(pet, pet_mask, [0.0])
        fake_pet = only_inside(self.generator(ct), mask, [0.0])
        fake_ct = only_inside(self.backward_generator(real_pet), pet_mask, self.air)

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


def only_inside(image: torch.Tensor, mask: torch.Tensor, outside: Sequence[float]) -> torch.Tensor:
    """The image (N, C, *space) inside the mask (bool), elsewhere the value ``outside`` of each channel."""
    # Filled on the device: a copy from the CPU would wait for the work of a GPU.
    values = torch.cat([image.new_full((1,), value) for value in outside])
    return torch.where(mask, image, values.reshape(-1, *[1] * (image.ndim - 2)))


MODEL = CycleGAN
