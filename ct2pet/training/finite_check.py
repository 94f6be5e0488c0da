"""Whether the losses and gradients of the updates are finite, checked without synchronisation with the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ct2pet.errors import TrainingError


@dataclass(frozen=True)
class UpdateNumbers:
    """``loss``, gradient ``norm`` and the parts of the loss of one update of the optimizer ``name``, during their copy
    to the CPU. ``where``: step and cases, for the error."""

    name: str
    where: str
    parts: tuple[str, ...]
    numbers: torch.Tensor
    arrived: torch.cuda.Event | None

    @classmethod
    def of(
        cls, name: str, where: str, loss: torch.Tensor, norm: torch.Tensor, parts: Mapping[str, torch.Tensor]
    ) -> UpdateNumbers:
        """Start an asynchronous copy of the numbers."""
        numbers = torch.stack([loss, norm, *parts.values()]).detach().float().to("cpu", non_blocking=True)
        arrived = None
        if loss.is_cuda:
            arrived = torch.cuda.Event()
            arrived.record()
        return cls(name, where, tuple(parts), numbers, arrived)

    def values(self) -> tuple[float, float, list[float]]:
        """The loss, the norm and the parts; waits for the copy."""
        if self.arrived is not None:
            self.arrived.synchronize()
        loss, norm, *parts = self.numbers.tolist()
        return loss, norm, parts

    def error(self) -> TrainingError:
        """The error where they are not finite."""
        _, norm, values = self.values()
        each = ", ".join(f"{part} {value:.4g}" for part, value in zip(self.parts, values))
        return TrainingError(
            f"{self.where}: the {self.name}'s loss or gradient is not finite ({each}; gradient norm {norm:.4g}); the "
            "last checkpoint is kept; lower the learning rate in the plans or check these cases"
        )


class LateCheck:
    """Reads the numbers of each step during the next one: an immediate check would let the device wait for the CPU
    after every update."""

    def __init__(self) -> None:
        self._this_step: list[UpdateNumbers] = []
        self._step_before: list[UpdateNumbers] = []

    def add(self, numbers: UpdateNumbers) -> None:
        """Add the numbers of an update."""
        self._this_step.append(numbers)

    def end_step(self) -> None:
        """Raises TrainingError where an update of the step before was not finite."""
        before, self._step_before, self._this_step = self._step_before, self._this_step, []
        _raise_where_not_finite(before)

    def finish(self) -> None:
        """As ``end_step``, for all steps so far."""
        self.end_step()
        self.end_step()


def _raise_where_not_finite(updates: list[UpdateNumbers]) -> None:
    for update in updates:
        loss, norm, _ = update.values()
        if not torch.isfinite(torch.tensor(loss + norm)):
            raise update.error()
