"""RegGAN in 3D: a translation that learns from PETs that are not exactly aligned with the CT.

Kong et al., "Breaking the dilemma of medical image-to-image translation", NeurIPS 2021: a registration network looks at
the fake and the real PET and gives the displacement between them; the fake is compared after it has been moved. It is
needed for training alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from ct2pet import distributed
from ct2pet.dataset import Fields
from ct2pet.losses import AdversarialLoss, masked_l1, smoothness
from ct2pet.models.base import Batch, Hyperparameters, ImageTranslation, Losses, Progress, Update, frozen
from ct2pet.networks import gaussian_smooth, optical_flow, valid_mask, warp, zero_init_last_layer
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import DIMENSIONS, TARGETS, NetworkNeed, Requirements
from ct2pet.schema import NotNegative, Positive

_PAPER_UNITS = 2.0  # its PETs lie in [-1, 1], ours in [0, 1]: a difference counts twice as much
_NEWEST = 0.02  # the share of a step in the mean field


@dataclass(frozen=True)
class RegGANHyperparameters(Hyperparameters):
    """The loss of generator and registration is ``lambda_correction`` x L1 + ``lambda_smooth`` x mean squared gradient
    of the field + ``lambda_adversarial`` x adversarial loss, with L1 in units of half the plan's SUV window. Without
    ``registration`` the PETs are taken to lie where the CTs lie; without ``initial_flow`` its network must find all of
    a field (Kong et al.); with ``lambda_adversarial`` 0 there is no discriminator. Fields are smoothed by a Gaussian of
    ``field_sigma_mm`` (0: the network's field, unsmoothed; see the class)."""

    learning_rate: Positive = 1e-4
    discriminator_learning_rate: Positive = 1e-4
    registration: bool = True
    initial_flow: bool = True
    lambda_correction: NotNegative = 20.0
    lambda_smooth: NotNegative = 10.0
    lambda_adversarial: NotNegative = 1.0
    field_sigma_mm: NotNegative = 100.0
    adversarial_loss: str = "lsgan"


class RegGAN(ImageTranslation):
    """Paired translation. The discriminator's input is PETs alone: it would learn the misalignment of real pairs.

    A network needs thousands of steps before it detects a shift, and until then the generator learns blurred PETs.
    Optical flow therefore comes first and the network finds the rest. Two measures exclude unwanted common solutions of
    generator and registration. From a fine grid as fake, moves of a fraction of a voxel could make any PET: fields are
    smoothed. A generator that moves all PETs to one side would have them moved back: the mean of all fields of the
    training is subtracted from each.
    """

    Hyperparameters: ClassVar[type[RegGANHyperparameters]] = RegGANHyperparameters
    hyperparameters: RegGANHyperparameters
    mean_field: torch.Tensor  # (dimensions), voxels
    inference_networks = ("generator",)
    requirements = Requirements(
        networks={
            "generator": NetworkNeed(),
            "registration": NetworkNeed(inputs=(TARGETS, TARGETS), outputs=(DIMENSIONS,)),
            "discriminator": NetworkNeed("discriminator", inputs=(TARGETS,)),
        },
        hyperparameters=asdict(RegGANHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        hparams = self.hyperparameters
        self.generator = zero_init_last_layer(self.network("generator"))
        self.registration, self.discriminator = None, None
        if hparams.registration:
            self.registration = zero_init_last_layer(self.network("registration"))  # it begins with nothing moved
            self.register_buffer("mean_field", torch.zeros(self.requirements.dimensions))
        if hparams.lambda_adversarial > 0:
            self.discriminator = self.network("discriminator")
        self.adversarial = AdversarialLoss(hparams.adversarial_loss)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = [network for network in (self.generator, self.registration) if network is not None]
        optimizers: dict[str, torch.optim.Optimizer] = {
            "generator": self.adam(p for network in networks for p in network.parameters())
        }
        if self.discriminator is not None:
            optimizers["discriminator"] = self.adam(
                self.discriminator.parameters(), self.hyperparameters.discriminator_learning_rate
            )
        return optimizers

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        ct, real_pet, mask, _ = self.images(batch)
        fake_pet = self.translate(ct)
        field = self._field_to_learn(fake_pet, real_pet, mask)
        loss, parts = self._correction(fake_pet, real_pet, mask, field)
        if self.discriminator is None:
            yield Update("generator", loss, parts)
            return
        # The position of the real PET in the mask shows the misalignment: fakes are moved by the same field.
        shown_pet = (fake_pet if field is None else warp(fake_pet, field.detach())) * mask
        with frozen(self.discriminator):
            parts["g_adversarial"] = self.adversarial(self.discriminator(shown_pet), real=True)
            loss = loss + self.hyperparameters.lambda_adversarial * parts["g_adversarial"]
            yield Update("generator", loss, parts)

        both = torch.cat([real_pet * mask, shown_pet.detach()])
        real_scores, fake_scores = self.discriminator(both).chunk(2)
        real_cost, fake_cost = self.adversarial(real_scores, real=True), self.adversarial(fake_scores, real=False)
        yield Update("discriminator", (real_cost + fake_cost) / 2, {"d_real": real_cost, "d_fake": fake_cost})

    def _field_to_learn(
        self, fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor | None:
        """As ``field``, which becomes part of the mean; None without a registration."""
        if self.registration is None:
            return None
        field = self._raw_field(fake_pet, real_pet, mask)
        self._update_mean_field(field.detach(), mask)
        return self._subtract_mean_field(field)

    def _correction(
        self, fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor, field: torch.Tensor | None
    ) -> tuple[torch.Tensor, Losses]:
        """L1 of the moved fake, and what its field costs.

        All voxels of the district count, also those where the fake was moved in from beyond its edge: the generator
        predicts there, too. Otherwise a field that points outwards would exclude the district's rim from the loss.
        Voxels moved in from beyond the patch do not count: there is no prediction.
        """
        hparams = self.hyperparameters
        parts: Losses = {}
        smooth = fake_pet.new_zeros(())
        if field is not None:
            fake_pet = warp(fake_pet, field)
            mask = mask & valid_mask(field.detach())
            smooth = parts["g_smooth"] = smoothness(field, self._spacing)
        parts["g_l1"] = masked_l1(fake_pet, real_pet, mask)
        l1 = _PAPER_UNITS * parts["g_l1"]
        return hparams.lambda_correction * l1 + hparams.lambda_smooth * smooth, parts

    def field(self, fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """How the fake must be moved to lie on the real PET: a displacement (N, dimensions, *space) in voxels; see
        networks.warp."""
        return self._subtract_mean_field(self._raw_field(fake_pet, real_pet, mask))

    def _raw_field(self, fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The fake counts inside the district alone: beyond it nothing teaches the generator."""
        assert self.registration is not None
        fake_pet, real_pet = fake_pet * mask, real_pet * mask
        sigma = [self.hyperparameters.field_sigma_mm / mm for mm in self._spacing]
        if not self.hyperparameters.initial_flow:
            return gaussian_smooth(self.registration(torch.cat([fake_pet, real_pet], dim=1)), sigma)
        flow = optical_flow(fake_pet, real_pet, mask, sigma)
        rest = self.registration(torch.cat([warp(fake_pet, flow), real_pet], dim=1))
        return flow + gaussian_smooth(rest, sigma)

    def _update_mean_field(self, field: torch.Tensor, mask: torch.Tensor) -> None:
        """A mean of all fields inside the district, of which the newest count most."""
        mean = (field * mask).transpose(0, 1).flatten(1).sum(1) / mask.sum().clamp(min=1)
        mean = mean * distributed.share_of_mean(mask.sum())
        distributed.all_reduce_mean([mean])
        self.mean_field += _NEWEST * (mean - self.mean_field)

    def _subtract_mean_field(self, field: torch.Tensor) -> torch.Tensor:
        return field - self.mean_field.view(1, -1, *[1] * self.requirements.dimensions)

    @property
    def _spacing(self) -> list[float]:
        return self.planned.spacing[-self.requirements.dimensions :]

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.generator(inputs)


MODEL = RegGAN
