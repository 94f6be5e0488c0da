"""The steps of the optimizers: precision, clipping, learning rates, and the guard against broken numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch

from ct2pet import distributed
from ct2pet.errors import TrainingError
from ct2pet.models.base import Batch, Losses, Model, Update


class Optimization:
    """Makes the updates that a model's training_step yields.

    ``total_steps`` and ``decay_steps``: the learning rates are constant, and fall linearly to zero over the last
    ``decay_steps``.
    """

    def __init__(self, model: Model, device: torch.device, total_steps: int, decay_steps: int) -> None:
        self.model = model
        self.device = device
        self.optimizers = model.optimizers()
        self.total_steps = total_steps
        self.decay_steps = max(1, decay_steps)
        self.base_rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in self.optimizers.items()}
        self.autocast = autocast_type(device)

    def learning_rate_factor(self, step: int) -> float:
        """1, then linearly to 0 over the last decay_steps."""
        return min(1.0, (self.total_steps - step) / self.decay_steps)

    def step(self, batch: Batch, step: int, cases: Sequence[str]) -> dict[str, torch.Tensor]:
        """One training step with its updates; returns the parts of the losses (detached scalars on the device).

        Raises TrainingError that names the step, the cases and the loss where a loss or a gradient is not finite; the
        networks have not been changed by that update.
        """
        self._set_learning_rates(step)
        losses: dict[str, torch.Tensor] = {}
        updates = self.model.training_step(batch)
        while True:
            with self._precision():
                update = next(updates, None)
            if update is None:
                return losses
            optimizer = self.optimizers[update.optimizer]
            optimizer.zero_grad(set_to_none=True)
            update.loss.backward()
            loss, values = self._of_all_processes(optimizer, update)
            norm = self._clip(optimizer)
            if not torch.isfinite(loss + norm):
                parts = ", ".join(f"{name} {float(value):.4g}" for name, value in values.items())
                raise TrainingError(
                    f"step {step}, cases {', '.join(cases)}: the {update.optimizer}'s loss or gradient is not finite "
                    f"({parts}; gradient norm {float(norm):.4g}); the last checkpoint is untouched: lower the "
                    "learning rate in the plans or check these cases"
                )
            optimizer.step()
            losses.update(values)

    @staticmethod
    def _of_all_processes(optimizer: torch.optim.Optimizer, update: Update) -> tuple[torch.Tensor, Losses]:
        """The loss and its parts as means over the processes, which the gradients become, too."""
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        loss, *parts = (value.detach().clone() for value in (update.loss, *update.losses.values()))
        distributed.average([*gradients, loss, *parts])
        return loss, dict(zip(update.losses, parts))

    def _set_learning_rates(self, step: int) -> None:
        factor = self.learning_rate_factor(step)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.base_rates[name] * factor

    def _clip(self, optimizer: torch.optim.Optimizer) -> torch.Tensor:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        return torch.nn.utils.clip_grad_norm_(parameters, self.model.hyperparameters.clip_norm)

    def _precision(self) -> contextlib.AbstractContextManager:
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast)

    def state(self) -> dict[str, Any]:
        return {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}

    def load_state(self, state: dict[str, Any]) -> None:
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])


def autocast_type(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the device computes with it natively (2.3-5.6 times faster steps on such a CPU), else None."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None
