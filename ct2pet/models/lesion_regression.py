"""A regression that detects lesions: the PET is the uptake without a lesion, plus the probability of a lesion times its
additional uptake.

The losses on the image alone have almost no gradient from lesions, which are few voxels, while the probability is low.
The cross-entropy on the masks of the lesions has one (documentation/explanation/experiments.md). Prediction needs no
mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from torch.nn import functional

from ct2pet.dataset.fields import LESIONS
from ct2pet.losses import lesion_cross_entropy, masked_l1, masked_l2
from ct2pet.models.base import Batch, Progress, Update
from ct2pet.models.regression import Regression, RegressionHyperparameters
from ct2pet.planning.requirements import LESION_HEAD, TARGETS, NetworkNeed, Requirements
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
    """Paired translation with a lesion head: the generator has two further channels, the logit of a lesion and its
    additional uptake. It needs training cases with masks of their lesions."""

    Hyperparameters = LesionRegressionHyperparameters
    hyperparameters: LesionRegressionHyperparameters
    requirements = Requirements(
        networks={"generator": NetworkNeed(outputs=(TARGETS, LESION_HEAD))},
        needs_lesions=True,
        hyperparameters=asdict(LesionRegressionHyperparameters()),
    )

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        hparams = self.hyperparameters
        ct, real_pet, mask, _ = self.images(batch)
        fake_pet, logit = self._pet_and_logit(ct)
        l1, l2 = (loss(fake_pet, real_pet, mask) for loss in (masked_l1, masked_l2))
        lesion = lesion_cross_entropy(logit, batch[LESIONS], mask, hparams.lesion_weight)
        loss = l1 + hparams.lambda_l2 * l2 + hparams.lambda_lesion * lesion
        yield Update("generator", loss, {"g_l1": l1, "g_l2": l2, "g_lesion": lesion})

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._pet_and_logit(inputs)[0]

    def _pet_and_logit(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The PET and the logit of a lesion (N, 1, *space)."""
        without, logit, additional = self.generator(inputs).float().split(1, dim=1)
        logit = logit - _RARE
        return without + torch.sigmoid(logit) * functional.softplus(additional), logit


MODEL = LesionRegression
