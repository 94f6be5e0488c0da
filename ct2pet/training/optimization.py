"""The steps of the optimizers: accumulation, clipping, learning rates, and the check of finite values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from ct2pet import distributed
from ct2pet.models.base import Batch, Losses, Model, Update
from ct2pet.training.finite_check import LateCheck, UpdateNumbers
from ct2pet.training.mixed_precision import Precision, precision_of
from ct2pet.training.schedule import Schedule

_SURELY_BELOW = 0.99  # of the limit: rounding cannot make the scale of such gradients less than 1
_LEAVES_OUT = "_step_supports_amp_scaling"  # of fused optimizers; torch's GradScaler uses it, too


class Optimization:
    """Makes the updates from a model's training_step, with the learning rates of ``schedule`` times ``rate_scale``."""

    def __init__(self, model: Model, device: torch.device, schedule: Schedule) -> None:
        self.model = model
        self.device = device
        self.schedule = schedule
        self.rate_scale = 1.0
        self.optimizers = model.optimizers()
        self.base_rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in self.optimizers.items()}
        self.gradients = {name: distributed.GradientMean(optimizer) for name, optimizer in self.optimizers.items()}
        self.precision = Precision(device, self.optimizers, precision_of(device))
        self.checks_later = device.type == "cuda"
        self.before_step: Callable[[], None] = lambda: None  # see compile_networks
        self.late_check = LateCheck()

    def step(self, batch: Batch, step: int, cases: Sequence[str]) -> dict[str, torch.Tensor]:
        """One training step with its updates; returns the parts of the losses (detached scalars on the device).

        With ``accumulate_batches`` the batch is computed in equal parts of at most the plan's batch_size, and each
        update sums their gradients. Raises TrainingError that names the step, the cases and the loss where a loss or a
        gradient is not finite; this update has not changed the networks. On a GPU it is detected one step later.
        """
        self.before_step()
        self._set_learning_rates(step)
        losses: dict[str, torch.Tensor] = {}
        progress = self.schedule.progress(step)
        parts = [self.model.training_step(part, progress) for part in self._parts(batch)]
        while updates := self._backward(parts):
            losses |= self._update(updates, f"step {step}, cases {', '.join(cases)}")
        self.late_check.end_step()
        return losses

    def finish(self) -> None:
        """At the end of an epoch: raises TrainingError where an update since the last check was not finite."""
        self.late_check.finish()

    def _parts(self, batch: Batch) -> list[Batch]:
        if self.model.hyperparameters.accumulate_batches == 1:
            return [batch]
        samples, most = len(next(iter(batch.values()))), self.model.planned.batch_size
        size = max(size for size in range(1, most + 1) if samples % size == 0)
        parts = {name: tensor.split(size) for name, tensor in batch.items()}
        return [{name: tensors[part] for name, tensors in parts.items()} for part in range(samples // size)]

    def _backward(self, parts: Sequence[Iterator[Update]]) -> list[Update]:
        """The next update of each part; their gradients are in the networks. Empty after the last one."""
        updates: list[Update] = []
        for number, part in enumerate(parts, start=1):
            with self.precision.autocast():
                update = next(part, None)
            if update is None:
                continue
            if not updates:
                self.optimizers[update.optimizer].zero_grad(set_to_none=True)
            scaled = self.precision.scaled(update.optimizer, update.loss / len(parts))
            self.gradients[update.optimizer].backward(scaled, last=number == len(parts))
            values = {name: value.detach() for name, value in update.losses.items()}
            updates.append(Update(update.optimizer, update.loss.detach(), values, update.clip))
        return updates

    def _update(self, parts: Sequence[Update], where: str) -> Losses:
        name = parts[0].optimizer
        optimizer = self.optimizers[name]
        loss, values = self._of_all(parts)
        self.precision.unscale(name, optimizer)
        gradients = _Gradients.of(optimizer, self.model.hyperparameters.clip_norm if parts[0].clip else math.inf)
        numbers = UpdateNumbers.of(name, where, loss, gradients.norm, values)
        if self._checks_later(optimizer):
            self.late_check.add(numbers)
            gradients.clip()
            _step_where_finite(optimizer, torch.isfinite(loss + gradients.norm))
            return values
        loss_read, norm_read, _ = numbers.values()
        finite = math.isfinite(loss_read + norm_read)
        if not finite and not (math.isfinite(loss_read) and self.precision.may_skip(name)):
            raise numbers.error()
        gradients.clip(norm_read)
        self.precision.step(name, optimizer, finite)
        return values

    def _checks_later(self, optimizer: torch.optim.Optimizer) -> bool:
        """Whether the device can skip an update that is not finite. With float16 the scale must be lowered
        immediately."""
        return self.checks_later and not self.precision.scales and getattr(optimizer, _LEAVES_OUT, False)

    @staticmethod
    def _of_all(updates: Sequence[Update]) -> tuple[torch.Tensor, Losses]:
        """The loss and its parts as means over the batch's parts and the processes."""
        rows = [torch.stack([update.loss, *update.losses.values()]).float() for update in updates]
        means = rows[0] if len(rows) == 1 else torch.stack(rows).mean(0)
        distributed.all_reduce_mean([means])
        loss, *values = means.unbind()
        return loss, dict(zip(updates[0].losses, values))

    def rate_factor(self, step: int) -> float:
        """The factor of the plans' learning rates in step number ``step``."""
        return self.rate_scale * self.schedule.learning_rate_factor(step)

    def _set_learning_rates(self, step: int) -> None:
        factor = self.rate_factor(step)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.base_rates[name] * factor

    def state(self) -> dict[str, Any]:
        """``optimizers`` and ``scales``, for a checkpoint."""
        states = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return {"optimizers": states, "scales": self.precision.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue with the optimizers' states of a checkpoint."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.precision.load_state(state.get("scales", {}))


@dataclass(frozen=True)
class _Gradients:
    """The ``parameters`` of an optimizer that have gradients, and the ``norm`` of these (a scalar on the device), which
    may be at most ``limit``."""

    parameters: Sequence[torch.nn.Parameter]
    norm: torch.Tensor
    limit: float

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, limit: float) -> _Gradients:
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        return cls(parameters, get_total_norm([p.grad for p in parameters]), limit)

    def clip(self, norm: float = math.inf) -> None:
        """Scale the gradients so that their norm is at most the limit. ``norm``: the norm, where the CPU has read it:
        gradients well below the limit, which would be multiplied by 1, are not touched."""
        if self.limit < math.inf and not norm < _SURELY_BELOW * self.limit:
            clip_grads_with_norm_(self.parameters, self.limit, self.norm)


def _step_where_finite(optimizer: torch.optim.Optimizer, finite: torch.Tensor) -> None:
    """Make the update unless the flag, a value on the device, is set; as in GradScaler."""
    optimizer.grad_scale, optimizer.found_inf = None, (~finite).float()  # type: ignore[attr-defined]
    try:
        optimizer.step()
    finally:
        del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]
