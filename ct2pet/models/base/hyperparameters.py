"""The numbers of every method, which users find in the plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dacite

from ct2pet.errors import PlansError
from ct2pet.planning.plans import explained

LINEAR, POLYNOMIAL = "linear", "polynomial"


@dataclass(frozen=True)
class Hyperparameters:
    """The numbers of every method; a method's own dataclass inherits from this one.

    ``schedule``: the learning rate is constant and falls linearly to zero over the last ``decay_epochs`` (``linear``),
    or falls as (1 - epoch / num_epochs) ** 0.9 as in nnU-Net (``polynomial``). With an ``ema_decay`` (0.999, say) the
    moving average of the weights validates and predicts. An update sums the gradients of ``accumulate_batches``
    batches.
    """

    num_epochs: int = 200
    iterations_per_epoch: int = 250
    decay_epochs: int = 100
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    clip_norm: float = 5.0
    ema_decay: float = 0.0
    accumulate_batches: int = 1
    schedule: str = LINEAR

    def __post_init__(self) -> None:
        if self.accumulate_batches < 1:
            raise PlansError(f"accumulate_batches {self.accumulate_batches} is not at least 1")
        if not 0 <= self.ema_decay < 1:
            raise PlansError(f"ema_decay {self.ema_decay} is not at least 0 and below 1")
        if self.schedule not in (LINEAR, POLYNOMIAL):
            raise PlansError(f"the schedule {self.schedule!r} does not exist; there are {LINEAR} and {POLYNOMIAL}")


@dataclass(frozen=True)
class StagedHyperparameters(Hyperparameters):
    """Numbers of a method in several stages; each stage is trained for ``num_epochs``. What a stage learns from is made
    by ``inner_folds`` trainings of the one before, each with the cases of the others (below 2: by one training, with
    the very cases that it has seen)."""

    inner_folds: int = 3


def parse_hyperparameters(kind: type[Hyperparameters], values: Mapping[str, Any]) -> Hyperparameters:
    """The dataclass ``kind`` with ``values`` in place of its defaults. Unknown names raise PlansError."""
    hooks = {float: lambda value: float(value) if isinstance(value, int) else value}
    try:
        return dacite.from_dict(kind, dict(values), dacite.Config(strict=True, type_hooks=hooks))
    except dacite.DaciteError as error:
        raise PlansError(f"the method's numbers in the plans (under models): {explained(error)}") from None
