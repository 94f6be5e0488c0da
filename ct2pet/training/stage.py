"""The part of a method that one Trainer trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from ct2pet.errors import TrainingError
from ct2pet.models.base import Method, Model
from ct2pet.preprocessing import DistrictStore


@dataclass(frozen=True)
class Stage:
    """The part of a method that a Trainer trains; see training.staged. ``inputs``: the cases with the inputs of this
    stage. ``earlier``: the weights of the earlier stages. ``seen``: the digests of the cases that these were trained
    with. ``complete``: whether this is the last stage, so that the method can be validated."""

    name: str
    inputs: DistrictStore
    earlier: Mapping[str, torch.Tensor] = field(default_factory=dict)
    seen: str = ""
    label: str = ""
    complete: bool = True


def stage_of(method: Method, name: str) -> Model:
    """The stage ``name`` of a method. Raises TrainingError that lists the stages."""
    if name not in method.stages:
        raise TrainingError(f"no stage {name!r} to train; there are: {', '.join(method.stages)}")
    return method.stages[name]
