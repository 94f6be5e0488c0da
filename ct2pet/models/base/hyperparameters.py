"""The numbers of every method, which users find in the plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ct2pet.errors import PlansError
from ct2pet.schema import Count, NotNegative, NotNegativeInt, Positive, Share, parse_as

H = TypeVar("H", bound="Hyperparameters")
LINEAR, POLYNOMIAL = "linear", "polynomial"


@dataclass(frozen=True)
class Hyperparameters:
    """The numbers of every method; a method's own dataclass inherits from this one.

    ``schedule``: the learning rate is constant and falls linearly to zero over the last ``decay_epochs`` (``linear``),
    or falls as (1 - epoch / num_epochs) ** 0.9 as in nnU-Net (``polynomial``). With an ``ema_decay`` (0.999, say) the
    moving average of the weights validates and predicts. An update sums the gradients of ``accumulate_batches``
    batches. Where a training starts with the weights of another one: ``fine_tuning_factor``: factor of all learning
    rates; ``initial_weights_decay``: weight decay towards the initial weights, of one training case.
    """

    num_epochs: Count = 200
    iterations_per_epoch: Count = 250
    decay_epochs: NotNegativeInt = 100
    learning_rate: Positive = 2e-4
    beta1: Share = 0.5
    beta2: Share = 0.999
    clip_norm: Positive = 5.0
    ema_decay: Share = 0.0
    accumulate_batches: Count = 1
    schedule: str = LINEAR
    fine_tuning_factor: Positive = 1.0
    initial_weights_decay: NotNegative = 0.0

    def __post_init__(self) -> None:
        if self.schedule not in (LINEAR, POLYNOMIAL):
            raise PlansError(f"the schedule {self.schedule!r} does not exist; there are {LINEAR} and {POLYNOMIAL}")


@dataclass(frozen=True)
class StagedHyperparameters(Hyperparameters):
    """Numbers of a method in several stages; each stage is trained for ``num_epochs``. What a stage learns from is made
    by ``inner_folds`` trainings of the one before, each with the cases of the others (below 2: by one training, with
    the very cases that it has seen)."""

    inner_folds: NotNegativeInt = 3


def parse_hyperparameters(kind: type[H], values: Mapping[str, Any]) -> H:
    """The dataclass ``kind`` with ``values`` in place of its defaults. Unknown names, values of another type and those
    that break a rule raise PlansError."""
    return parse_as(dict(values), kind, "the method's numbers (under models)", PlansError)
