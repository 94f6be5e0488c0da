"""MedScanGAN: axial slices of a class, PET, CT or both, from noise.

Samaras et al., "MedScanGAN: Synthetic PET & CT scan generation using conditional generative adversarial networks for
medical AI data augmentation"; Gulrajani et al., NeurIPS 2017 (the penalty); Odena et al., ICML 2017 (the class head).
What the paper leaves open, and what does not add up in it: documentation/explanation/medscangan.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import torch
from torch.nn import functional

from ct2pet import distributed
from ct2pet.dataset import Fields
from ct2pet.dataset.fields import PET
from ct2pet.errors import PlansError
from ct2pet.losses.critic_augmentation import augment_for_critic
from ct2pet.losses.diversity import diversity_gap
from ct2pet.losses.relativistic import relativistic_cost, zero_centred_penalty
from ct2pet.losses.wasserstein import critic_cost, gradient_penalty
from ct2pet.models.base import Batch, Hyperparameters, Losses, Progress, Synthesis, Update, WeightedMean, frozen
from ct2pet.networks.dcgan import DCGANCritic, DCGANGenerator
from ct2pet.networks.medscangan import with_spectral_norm
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import CONDITIONS, TARGETS, FieldNeeds, NetworkNeed, Requirements
from ct2pet.preprocessing.normalization import denormalize, normalize
from ct2pet.schema import Count, NotNegative, NotNegativeInt, Positive, Share

_VALIDATION_SEED = 0
WGAN_GP, AUXILIARY, PROJECTION, DCGAN = "wgan_gp", "auxiliary", "projection", "dcgan"


@dataclass(frozen=True)
class MedScanGANHyperparameters(Hyperparameters):
    """``loss`` ``wgan_gp``: the critic minimises fake - real + ``lambda_penalty`` x gradient penalty, the generator,
    once in ``n_critic`` steps, -fake. ``r3gan``: both minimise a relativistic cost of pairs, and the critic half of
    ``lambda_penalty`` x (R1 + R2).

    ``variant`` ``cgan``: one generator and one critic, conditioned on the class. ``dcgan``: a generator and a critic
    for each class, trained with its images alone; the plans name the networks of networks/dcgan.py.

    ``class_head``, of a ``cgan``: ``auxiliary``: the critic also names the class; ``lambda_class`` x cross-entropy of
    real images is added to its loss, and that of the classes that it was given to the generator's. ``projection``: the
    head's output of the class is added to the score (Miyato and Koyama, ICLR 2018).

    ``lambda_diversity`` x how much less alike real images are than generated ones is added to the generator's loss.

    ``log_suv``: networks work on log(1 + SUV). ``augment_critic``: the critic's images are flipped, shifted and partly
    covered. ``spectral_norm``: of all layers of the critic.
    """

    num_epochs: Count = 500
    decay_epochs: NotNegativeInt = 1
    learning_rate: Positive = 5e-4
    critic_learning_rate: Positive = 5e-4
    beta1: Share = 0.0
    beta2: Share = 0.99
    ema_decay: Share = 0.995
    variant: Literal["cgan", "dcgan"] = "cgan"
    loss: Literal["wgan_gp", "r3gan"] = "r3gan"
    class_head: Literal["auxiliary", "projection"] = "projection"
    n_critic: Count = 1
    lambda_penalty: NotNegative = 1.0
    lambda_class: NotNegative = 1.0
    lambda_diversity: NotNegative = 1.0
    log_suv: bool = True
    augment_critic: bool = True
    spectral_norm: bool = False


class MedScanGAN(Synthesis):
    """A generator that is given the class, and a critic that names it. Both see the targets as channels."""

    inference_networks = ("generator",)
    Hyperparameters = MedScanGANHyperparameters
    hyperparameters: MedScanGANHyperparameters
    requirements = Requirements(
        FieldNeeds(image_inputs=(0, 0), image_targets=(1, 2), conditions=(1, 1)),
        {
            "generator": NetworkNeed("class_generator", inputs=(CONDITIONS,)),
            # Real and generated images, points between them and the gradients there; spectral norm keeps its weights.
            "critic": NetworkNeed("class_critic", inputs=(TARGETS,), outputs=(CONDITIONS,), copies=2, passes=5),
        },
        dimensions=2,
        hyperparameters=asdict(MedScanGANHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.condition = fields.conditions[0]
        self.targets = [one.name for one in fields.targets]
        log_suv = self.hyperparameters.log_suv
        self.in_log_suv = {one.name for one in fields.targets if one.kind == PET and log_suv}
        self.generator = self.network("generator")
        self.latent_size = configuration.network("class_generator").arguments["latent_size"]
        critic = self.network("critic")
        self._check_variant(critic)
        self.critic = with_spectral_norm(critic) if self.hyperparameters.spectral_norm else critic

    def _check_variant(self, critic: torch.nn.Module) -> None:
        variant = self.hyperparameters.variant
        of_dcgan = {isinstance(self.generator, DCGANGenerator), isinstance(critic, DCGANCritic)}
        if of_dcgan != {variant == DCGAN}:
            raise PlansError(
                f"variant {variant!r}: the plans' networks class_generator and class_critic are "
                f"{type(self.generator).__name__} and {type(critic).__name__}; DCGANGenerator and DCGANCritic belong "
                "to dcgan (-p paper_medscangan_dcgan), ClassGenerator and ClassCritic to cgan"
            )

    @property
    def _names_class(self) -> bool:
        """Whether the critic is trained to name the class."""
        return self.hyperparameters.variant != DCGAN and self.hyperparameters.class_head == AUXILIARY

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "critic": self.adam(self.critic.parameters(), self.hyperparameters.critic_learning_rate),
            "generator": self.adam(self.generator.parameters()),
        }

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        real, classes, random = self._images(batch), batch[self.condition.name], self._random()
        yield self._critic_update(real, classes, random)
        if progress.step % self.hyperparameters.n_critic == 0:
            with frozen(self.critic):
                yield self._generator_update(real, classes, random)

    def _random(self) -> torch.Generator:
        """The random numbers of one step, on the CPU: other ones in each of several processes, which seed torch alike.
        Checkpoints hold the state that they follow from."""
        return torch.Generator().manual_seed(int(torch.randint(2**62, ())) + distributed.rank())

    def _images(self, batch: Batch) -> torch.Tensor:
        """The targets as channels (N, C, Y, X), as the networks see them."""
        return torch.cat([self._to_network(name, batch[name]) for name in self.targets], dim=1)

    def _to_network(self, name: str, image: torch.Tensor) -> torch.Tensor:
        if name not in self.in_log_suv:
            return image
        return denormalize(image.float(), self.planned.normalization[name]).clamp_min(0).log1p()

    def _from_network(self, name: str, image: torch.Tensor) -> torch.Tensor:
        if name not in self.in_log_suv:
            return image
        return normalize(image.clamp_min(0).expm1(), self.planned.normalization[name])

    def _critic_update(self, real: torch.Tensor, classes: torch.Tensor, random: torch.Generator) -> Update:
        hparams = self.hyperparameters
        with torch.no_grad():
            fake = self.generator(self._noise(len(real), random), classes).float()
        real, fake = self._seen(real, random), self._seen(fake, random)
        with self.full_precision():
            parts = (self._wasserstein if hparams.loss == WGAN_GP else self._relativistic)(real, fake, classes, random)
            weight = hparams.lambda_penalty if hparams.loss == WGAN_GP else hparams.lambda_penalty / 2
            loss = parts["c_adversarial"] + weight * parts["c_penalty"]
            if self._names_class:
                parts["c_class"] = functional.cross_entropy(self.critic(real)[1], classes)
                loss = loss + hparams.lambda_class * parts["c_class"]
        return Update("critic", loss, parts, clip=False)

    def _wasserstein(
        self, real: torch.Tensor, fake: torch.Tensor, classes: torch.Tensor, random: torch.Generator
    ) -> Losses:
        shares = torch.rand(len(real), generator=random).to(real.device)
        score = partial(self._score, classes=classes)
        return {
            "c_adversarial": critic_cost(score(real), score(fake)),
            "c_penalty": gradient_penalty(score, real, fake, shares),
        }

    def _relativistic(
        self, real: torch.Tensor, fake: torch.Tensor, classes: torch.Tensor, random: torch.Generator
    ) -> Losses:
        both = partial(self._score, classes=torch.cat([classes, classes]))
        scores, penalty = zero_centred_penalty(both, torch.cat([real, fake]))
        return {"c_adversarial": relativistic_cost(*scores.chunk(2)), "c_penalty": 2 * penalty}

    def _score(self, images: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        # Not the compiled network: torch.compile has no second derivatives.
        return self._scores_and_logits(images, classes)[0]

    def _scores_and_logits(self, images: torch.Tensor, classes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.hyperparameters.variant == DCGAN:
            by_class = self.critic.forward(images)
            return by_class.gather(1, classes[:, None]).squeeze(1), by_class
        scores, logits = self.critic.forward(images)
        if self.hyperparameters.class_head == PROJECTION:
            scores = scores + logits.gather(1, classes[:, None]).squeeze(1)
        return scores, logits

    def _seen(self, images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        return augment_for_critic(images, random) if self.hyperparameters.augment_critic else images

    def _generator_update(self, real: torch.Tensor, classes: torch.Tensor, random: torch.Generator) -> Update:
        hparams = self.hyperparameters
        made = self.generator(self._noise(len(classes), random), classes).float()
        fake = self._seen(made, random)
        with self.full_precision():
            scores, logits = self._scores_and_logits(fake, classes)
            if hparams.loss == WGAN_GP:
                loss = -scores.mean()
            else:
                with torch.no_grad():
                    of_real = self._score(self._seen(real, random), classes)
                loss = relativistic_cost(scores, of_real)
            parts = {"g_adversarial": loss}
            if hparams.lambda_diversity:
                parts["g_diversity"] = diversity_gap(real, made, classes)
                loss = loss + hparams.lambda_diversity * parts["g_diversity"]
            if self._names_class:
                parts["g_class"] = functional.cross_entropy(logits, classes)
                loss = loss + hparams.lambda_class * parts["g_class"]
        return Update("generator", loss, parts)

    def _noise(self, count: int, random: torch.Generator) -> torch.Tensor:
        noise = torch.randn(count, self.latent_size, generator=random)
        return noise.to(next(self.generator.parameters()).device)

    def sample(self, conditions: Mapping[str, int], count: int, seed: int) -> dict[str, torch.Tensor]:
        noise = self._noise(count, torch.Generator().manual_seed(seed))
        classes = torch.full((count,), conditions[self.condition.name], device=noise.device)
        images = self.generator(noise, classes).float().split(1, dim=1)
        return {name: self._from_network(name, image) for name, image in zip(self.targets, images)}

    @property
    def monitor(self) -> str:
        """How far the mean, standard deviation and maximum of single images are from those of real ones of the class:
        a blurred average, which similarity to a random real image would prefer, has a low deviation and maximum."""
        return "energy_distance"

    def validation_step(self, batch: Batch) -> dict[str, WeightedMean]:
        real, classes = self._images(batch), batch[self.condition.name]
        noise = self._noise(len(real), torch.Generator().manual_seed(_VALIDATION_SEED))
        fake = self.generator(noise, classes).float()
        total, weight = 0.0, 0
        for one in classes.unique():
            own = classes == one
            if (number := int(own.sum())) >= 2:
                total += number * float(_energy_distance(_features(real[own]), _features(fake[own])))
                weight += number
        return {"energy_distance": WeightedMean(total, weight)}


def _features(images: torch.Tensor) -> torch.Tensor:
    """Mean, standard deviation and maximum of each channel (N, 3 C), in normalised units."""
    flat = images.float().flatten(2)
    return torch.cat([flat.mean(2), flat.std(2), flat.amax(2)], dim=1)


def _energy_distance(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The energy distance of two samples (N, features), N at least 2 (Székely and Rizzo, J Stat Plan Inference 2013),
    without bias: means over small batches are right, and the value for equal distributions is 0 on average."""
    within = [torch.pdist(one).mean() for one in (real, fake)]
    return 2 * torch.cdist(real, fake).mean() - within[0] - within[1]


MODEL = MedScanGAN
