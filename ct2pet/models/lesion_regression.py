"""A regression with a second head, which detects lesions in the training.

The losses on the image have little gradient from lesions, which are few voxels. The cross-entropy on their masks
teaches the common features of both heads to tell lesions from other tissue (documentation/explanation/experiments.md).
Prediction needs no mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch

from ct2pet.dataset.fields import LESIONS
from ct2pet.losses import lesion_cross_entropy, masked_l1, masked_l2
from ct2pet.models.base import Batch, Progress, Update
from ct2pet.models.regression import Regression, RegressionHyperparameters
from ct2pet.planning.requirements import LESION, TARGETS, NetworkNeed, Requirements
from ct2pet.schema import NotNegative, Positive

_RARE = 4.0  # the first probability of a lesion is sigmoid(-4), 1.8%


@dataclass(frozen=True)
class LesionRegressionHyperparameters(RegressionHyperparameters):
    """The loss is L1 + ``lambda_l2`` x L2 + ``lambda_lesion`` x the cross-entropy of the probability of a lesion, in
    which a voxel of a lesion counts ``lesion_weight`` times."""

    lambda_l2: NotNegative = 5.0
    lambda_lesion: NotNegative = 1.0
    lesion_weight: Positive = 5.0


class LesionRegression(Regression):
    """Paired translation; a further channel of the generator is the logit of a lesion. It needs training cases with
    masks of their lesions."""

    Hyperparameters = LesionRegressionHyperparameters
    hyperparameters: LesionRegressionHyperparameters
    requirements = Requirements(
        networks={"generator": NetworkNeed(outputs=(TARGETS, LESION))},
        needs_lesions=True,
        hyperparameters=asdict(LesionRegressionHyperparameters()),
    )

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        hparams = self.hyperparameters
        ct, real_pet, mask, _ = self.images(batch)
        fake_pet, logit = self.generator(ct).split(1, dim=1)
        l1, l2 = (loss(fake_pet, real_pet, mask) for loss in (masked_l1, masked_l2))
        lesion = lesion_cross_entropy(logit.float() - _RARE, batch[LESIONS], mask, hparams.lesion_weight)
        loss = l1 + hparams.lambda_l2 * l2 + hparams.lambda_lesion * lesion
        yield Update("generator", loss, {"g_l1": l1, "g_l2": l2, "g_lesion": lesion})

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.generator(inputs)[:, :1]


MODEL = LesionRegression
