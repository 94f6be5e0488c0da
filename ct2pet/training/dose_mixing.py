"""Training patches of other doses, from a low-dose and a full-dose PET of one acquisition.

Where the low-dose PET of dose f is reconstructed from a random part of the events of the full-dose PET, and
reconstruction is linear, the mixture w x low + (1 - w) x full has in every voxel the mean, the variance and the
covariance with the full-dose PET of a PET from a part d of the events, if w^2 = (1/d - 1) / (1/f - 1). With an expected
number of counts n, in units of n: Var(full) = 1/n, Var(low) = 1/(f n), and Cov(low, full) = 1/n because the other
events are independent; hence Var(mixture) = (1 + w^2 (1/f - 1)) / n = 1/(d n) and Cov(mixture, full) = 1/n. Higher
moments are not those of the dose d.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from ct2pet.dataset import Fields
from ct2pet.dataset.fields import PET
from ct2pet.errors import TrainingError
from ct2pet.models import load_model
from ct2pet.planning.configuration import Configuration
from ct2pet.preprocessing.normalization import denormalize, normalize

_DOSE = "dose_fraction"
_STREAM = 0x646F7365  # separates the random numbers of the dose from the others of a seed


def check_doses(model: str, configuration: Configuration, dataset: Mapping[str, Any], plans: str) -> None:
    """Raise TrainingError that begins with ``plans`` (their file) where these plan doses for a method that does not
    need the dose, or begin with another dose than that of ``dataset``, the content of dataset.json."""
    planned = configuration.augmentation.dose_fractions
    if not planned:
        return
    if _DOSE not in load_model(model).requirements.dataset_keys:
        raise TrainingError(f"{plans}: {model} cannot use augmentation.dose_fractions; set it to [] or train ldos")
    stored = dataset.get(_DOSE)
    if stored != planned[0]:
        raise TrainingError(
            f"{plans}: augmentation.dose_fractions begins with {planned[0]:g}, but {_DOSE} in dataset.json is {stored}"
        )


def mixing_weight(dose: float, stored_dose: float) -> float:
    """The weight of the low-dose PET of ``stored_dose`` in a mixture of ``dose`` (from ``stored_dose`` to 1)."""
    return math.sqrt((1 / dose - 1) / (1 / stored_dose - 1))


class DoseMixing:
    """Mixes the input PET of a sample with the target PET to a random dose between the planned ``dose_fractions``, of
    which the first is that of the input PET. The logarithm of the dose is uniform."""

    def __init__(self, configuration: Configuration, fields: Fields) -> None:
        self.stored, self.highest = configuration.augmentation.dose_fractions
        self.low, self.full = (
            next(one.name for one in side if one.kind == PET) for side in (fields.inputs, fields.targets)
        )
        self.windows = {name: configuration.normalization[name] for name in (self.low, self.full)}

    def dose(self, seed: int) -> float:
        """The dose of the sample of this seed."""
        share = float(torch.rand((), generator=torch.Generator().manual_seed(seed ^ _STREAM)))
        return self.stored * (self.highest / self.stored) ** share

    def __call__(self, sample: Mapping[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
        """The sample with another input PET. All images are normalised as planned."""
        full = normalize(denormalize(sample[self.full], self.windows[self.full]), self.windows[self.low])
        weight = mixing_weight(self.dose(seed), self.stored)
        return {**sample, self.low: full + weight * (sample[self.low] - full)}
