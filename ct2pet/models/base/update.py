"""What a training step yields, and what it receives from the training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

Losses = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Progress:
    """How far a training is: ``epoch`` and ``step`` from 0 on, and the ``fraction`` of all steps that is done."""

    epoch: int
    step: int
    fraction: float


@dataclass(frozen=True)
class Update:
    """One update of one optimizer: the trainer minimises ``loss`` with the optimizer of this name.

    ``losses`` are the parts, by name, for the log. ``clip``: whether the norm of the gradients is clipped.

    The backward pass runs while the training step waits at its ``yield``. A network that an update must not train is
    frozen around the yield (``with frozen(...): ... yield Update(...)``), so that the freeze holds in the backward
    pass, too: accumulated batches compute activations again there.
    """

    optimizer: str
    loss: torch.Tensor
    losses: Losses
    clip: bool = True
