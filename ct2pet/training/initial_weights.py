"""Weight decay towards the initial weights, for trainings that start with the weights of another one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch

from ct2pet.errors import CheckpointError
from ct2pet.models.base import Method
from ct2pet.training.pretraining import network_of


class InitialWeightsDecay:
    """Weight decay of ``method`` towards its initial weights, decoupled from the gradients: after each step a weight
    moves towards its initial value by the share learning rate * ``decay`` / ``training_cases`` of its distance from it.

    The penalty is that of L2-SP (Li, Grandvalet and Davoine, ICML 2018), applied as in AdamW. The loss is a mean over
    the cases; so, as with a prior of fixed width, the decay is divided by their number: it limits the changes where
    cases are few, whatever the number of steps, and has little effect where they are many. Without initial weights,
    nothing changes.
    """

    def __init__(self, method: Method, decay: float, training_cases: int) -> None:
        self.method, self.decay = method, decay / training_cases
        self.initial: dict[str, torch.Tensor] = {}

    def begin(self, networks: Collection[str]) -> None:
        """Take the current weights as the initial ones of ``networks``; no other network is changed."""
        weights = {name: weight for name, weight in self.method.named_parameters() if network_of(name) in networks}
        self.initial = {name: weight.detach().clone() for name, weight in weights.items() if self.decay > 0}

    @torch.no_grad()
    def update(self, optimizers: Collection[torch.optim.Optimizer]) -> None:
        """Move the weights of ``optimizers``, after their step, with their current learning rates."""
        if not self.initial:
            return
        initial = {weight: self.initial.get(name) for name, weight in self.method.named_parameters()}
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            pairs = [(weight, initial[weight]) for weight in group["params"] if initial.get(weight) is not None]
            if pairs:
                weights, starts = zip(*pairs)
                torch._foreach_lerp_(weights, starts, min(1.0, group["lr"] * self.decay))

    def load(self, initial: Mapping[str, torch.Tensor]) -> None:
        """Continue with those of a checkpoint. Raises CheckpointError where they are of other networks."""
        own = dict(self.method.named_parameters())
        if any(name not in own or own[name].shape != weight.shape for name, weight in initial.items()):
            raise CheckpointError("the checkpoint's initial weights are not those of this model's networks")
        self.initial = {name: weight.to(own[name].device) for name, weight in initial.items() if self.decay > 0}
