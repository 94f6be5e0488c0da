"""A regression whose loss also compares the features of a segmenter, which finds lesions in PETs, of both PETs.

In the first ``segmenter_steps`` the segmenter learns to find lesions in real PETs, beside the generator. Then it is
frozen, and the features of all stages of its encoder are compared (as nnsyn does with those of CTs).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from ct2pet.dataset import Fields
from ct2pet.dataset.fields import LESIONS
from ct2pet.losses import lesion_cross_entropy, masked_l1, masked_l2
from ct2pet.models.base import Batch, Progress, Update, frozen
from ct2pet.models.regression import Regression, RegressionHyperparameters
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import LESION, TARGETS, NetworkNeed, Requirements

_LESION_WEIGHT = 5.0  # as in lesion_regression


@dataclass(frozen=True)
class FeatureHyperparameters(RegressionHyperparameters):
    """The loss is that of the regression + ``lambda_features`` x the mean L1 distance of the features, each in units of
    its mean size in the real PET."""

    lambda_l2: float = 5.0
    lambda_features: float = 1.0
    segmenter_steps: int = 1000


class FeatureRegression(Regression):
    Hyperparameters = FeatureHyperparameters
    hyperparameters: FeatureHyperparameters
    requirements = Requirements(
        networks={"generator": NetworkNeed(), "segmenter": NetworkNeed(inputs=(TARGETS,), outputs=(LESION,))},
        needs_lesions=True,
        hyperparameters=asdict(FeatureHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        super().build(configuration, fields)
        self.segmenter = self.network("segmenter")

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {**super().optimizers(), "segmenter": self.adam(self.segmenter.parameters())}

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        numbers = self.hyperparameters
        ct, real_pet, mask, _ = self.images(batch)
        learning = progress.step < numbers.segmenter_steps
        self.segmenter.train(learning)
        if learning:
            loss = lesion_cross_entropy(self.segmenter(real_pet * mask), batch[LESIONS], mask, _LESION_WEIGHT)
            yield Update("segmenter", loss, {"s_lesion": loss})
        fake_pet = self.generator(ct)
        l1, l2 = (loss(fake_pet, real_pet, mask) for loss in (masked_l1, masked_l2))
        with frozen(self.segmenter):
            features = l1.new_zeros(()) if learning else self.feature_distance(fake_pet * mask, real_pet * mask)
            loss = l1 + numbers.lambda_l2 * l2 + numbers.lambda_features * features
            yield Update("generator", loss, {"g_l1": l1, "g_l2": l2, "g_features": features})

    def feature_distance(self, fake_pet: torch.Tensor, real_pet: torch.Tensor) -> torch.Tensor:
        """The mean over the stages of the encoder."""
        with torch.no_grad():
            wanted = self.segmenter.encoder(real_pet)
        pairs = zip(self.segmenter.encoder(fake_pet), wanted)
        distances = [(own - real).abs().mean() / real.abs().mean().clamp(min=1e-6) for own, real in pairs]
        return torch.stack(distances).mean()


MODEL = FeatureRegression
