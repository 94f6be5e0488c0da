"""MedScanGAN: axial slices of a class, PET, CT or both, from noise.

Samaras et al., "MedScanGAN: Synthetic PET & CT scan generation using conditional generative adversarial networks for
medical AI data augmentation"; Gulrajani et al., NeurIPS 2017 (the penalty); Odena et al., ICML 2017 (the class head).
What the paper leaves open, and what does not add up in it: documentation/explanation/medscangan.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import torch
from torch.nn import functional

from ct2pet.dataset import Fields
from ct2pet.losses.wasserstein import critic_cost, gradient_penalty
from ct2pet.models.base import Batch, Hyperparameters, Progress, Synthesis, Update, WeightedMean, frozen
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import CONDITIONS, TARGETS, FieldNeeds, NetworkNeed, Requirements
from ct2pet.schema import Count, NotNegative, NotNegativeInt, Positive, Share

_VALIDATION_SEED = 0


@dataclass(frozen=True)
class MedScanGANHyperparameters(Hyperparameters):
    """The critic minimises fake - real + ``lambda_penalty`` x penalty + ``lambda_class`` x cross-entropy of real
    images; the generator, once in ``n_critic`` steps, -fake + ``lambda_class`` x cross-entropy of the classes that it
    was given."""

    num_epochs: Count = 500
    decay_epochs: NotNegativeInt = 1
    learning_rate: Positive = 1e-4
    critic_learning_rate: Positive = 4e-4
    beta1: Share = 0.0
    beta2: Share = 0.9
    ema_decay: Share = 0.999
    n_critic: Count = 5
    lambda_penalty: NotNegative = 10.0
    lambda_class: NotNegative = 1.0


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
        self.generator = self.network("generator")
        self.latent_size = configuration.network("class_generator").arguments["latent_size"]
        self.critic = self.network("critic")

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "critic": self.adam(self.critic.parameters(), self.hyperparameters.critic_learning_rate),
            "generator": self.adam(self.generator.parameters()),
        }

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        real, classes = self._images(batch), batch[self.condition.name]
        yield self._critic_update(real, classes)
        if progress.step % self.hyperparameters.n_critic == 0:
            with frozen(self.critic):
                yield self._generator_update(classes)

    def _images(self, batch: Batch) -> torch.Tensor:
        """The targets as channels (N, C, Y, X)."""
        return torch.cat([batch[name] for name in self.targets], dim=1)

    def _critic_update(self, real: torch.Tensor, classes: torch.Tensor) -> Update:
        hparams = self.hyperparameters
        with torch.no_grad():
            fake = self.generator(self._noise(len(real)), classes).float()
        shares = torch.rand(len(real)).to(real.device)
        with self.full_precision():
            real_scores, logits = self.critic(real)
            distance = critic_cost(real_scores, self.critic(fake)[0])
            penalty = gradient_penalty(self._score, real, fake, shares)
            cross_entropy = functional.cross_entropy(logits, classes)
            loss = distance + hparams.lambda_penalty * penalty + hparams.lambda_class * cross_entropy
        parts = {"c_distance": distance, "c_penalty": penalty, "c_class": cross_entropy}
        return Update("critic", loss, parts, clip=False)

    def _score(self, images: torch.Tensor) -> torch.Tensor:
        # Not the compiled network: torch.compile has no second derivatives.
        return self.critic.forward(images)[0]

    def _generator_update(self, classes: torch.Tensor) -> Update:
        fake = self.generator(self._noise(len(classes)), classes).float()
        with self.full_precision():
            scores, logits = self.critic(fake)
            adversarial, cross_entropy = -scores.mean(), functional.cross_entropy(logits, classes)
            loss = adversarial + self.hyperparameters.lambda_class * cross_entropy
        return Update("generator", loss, {"g_adversarial": adversarial, "g_class": cross_entropy})

    def _noise(self, count: int, random: torch.Generator | None = None) -> torch.Tensor:
        """Drawn on the CPU, whose random state checkpoints hold."""
        noise = torch.randn(count, self.latent_size, generator=random)
        return noise.to(next(self.generator.parameters()).device)

    def sample(self, conditions: Mapping[str, int], count: int, seed: int) -> dict[str, torch.Tensor]:
        noise = self._noise(count, torch.Generator().manual_seed(seed))
        classes = torch.full((count,), conditions[self.condition.name], device=noise.device)
        images = self.generator(noise, classes).float()
        return dict(zip(self.targets, images.split(1, dim=1)))

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
