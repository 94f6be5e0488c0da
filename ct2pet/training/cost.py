"""The cost of a training, from timed steps on random patches: time, memory and disk space."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ct2pet.dataset import Field
from ct2pet.dataset.fields import MASK
from ct2pet.errors import PlansError
from ct2pet.models import load_model
from ct2pet.models.base import Method, Model, StagedMethod
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.plans import Plans
from ct2pet.training.data_loader import OTHER_PLACE
from ct2pet.training.optimization import Optimization
from ct2pet.training.options import TrainingOptions
from ct2pet.training.schedule import Schedule

_TIMED_STEPS = 2
_GB = 1e9
_WEIGHT_FILES = 3  # checkpoint_latest, checkpoint_best, checkpoint_final


@dataclass(frozen=True)
class TrainingCost:
    """``seconds_per_step``: the shortest of the timed steps; for a method of several stages the mean over all steps.
    ``steps`` and ``seconds``: of the whole training, without reading patches, augmentation and validation.
    ``memory_gib``: the planner's estimate, None for networks that it does not support. ``checkpoints_gb``: the files
    of weights and of the optimizers' states in the folder of the training, without averaged weights."""

    seconds_per_step: float
    steps: int
    memory_gib: float | None
    checkpoints_gb: float

    @property
    def seconds(self) -> float:
        return self.seconds_per_step * self.steps


def training_cost(plans: Plans, configuration: str, model: str, device: str) -> TrainingCost:
    """The cost of training ``model`` on a configuration of these plans, on ``device``, which this machine must have.

    Three steps are made with random numbers as patches; the first is not counted.
    Raises PlansError where the plans do not support the method.
    """
    kind = load_model(model)
    planned, fields = plans.configuration(configuration), plans.all_fields
    with torch.random.fork_rng(devices=[]):
        method: Method = kind(planned, fields, plans.hyperparameters(model))
        names = list(method.stages)
        seconds, steps, moments = 0.0, 0, 0
        for name in names:
            each, number, size = _timed(method.stages[name], torch.device(device))
            number *= _trainings(method, last=name == names[-1])
            seconds, steps, moments = seconds + each * number, steps + number, moments + size
    stored = {tensor.data_ptr(): tensor for tensor in method.state_dict().values()}  # some weights have two names
    weights = sum(map(_bytes, stored.values()))
    memory = estimated_memory_gib(plans, configuration, model, device)
    return TrainingCost(seconds / max(1, steps), steps, memory, (_WEIGHT_FILES * weights + moments) / _GB)


def estimated_memory_gib(plans: Plans, configuration: str, model: str, device: str) -> float | None:
    """The planner's estimate for one training (GiB); None for networks that it does not support."""
    try:
        requirements = load_model(model).requirements
        return estimate_training_gib(plans.configuration(configuration), plans.all_fields, requirements, device)
    except PlansError:
        return None


def _trainings(method: Method, last: bool) -> int:
    """The number of trainings of a stage: stages before the last are also trained without each part of the cases."""
    if last or not isinstance(method, StagedMethod):
        return 1
    folds = method.hyperparameters.inner_folds
    return 1 + (folds if folds > 1 else 0)


def _timed(model: Model, device: torch.device) -> tuple[float, int, int]:
    """Seconds of a step, the number of steps of the training, and the size of the optimizers' states in bytes."""
    model.to(device).train()
    schedule = Schedule.of(model.hyperparameters, TrainingOptions())
    optimization = Optimization(model, device, schedule)
    batch = {name: model.squeezed(tensor.to(device)) for name, tensor in _random_batch(model).items()}
    times = [_clocked(lambda: optimization.step(batch, 0, ["random"]), device) for _ in range(1 + _TIMED_STEPS)]
    states = [state for optimizer in optimization.optimizers.values() for state in _tensors(optimizer.state_dict())]
    return min(times[1:]), schedule.total_steps, sum(map(_bytes, states))


def _clocked(work: Callable[[], Any], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def _random_batch(model: Model) -> dict[str, torch.Tensor]:
    """A batch in the format of the loader, of random numbers."""
    planned = model.planned
    samples = planned.batch_size * model.hyperparameters.accumulate_batches
    shape = (samples, 1, *planned.patch_size)
    batch = {one.name: _random(one, shape) for one in (*model.fields.inputs, *model.fields.targets)}
    for one in model.fields.conditions:
        batch[one.name] = torch.arange(samples) % len(one.labels)
    batch[MASK] = torch.ones(shape, dtype=torch.bool)
    return batch if model.requirements.paired else {**batch, OTHER_PLACE: batch[MASK]}


def _random(one: Field, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randint(0, one.num_channels, shape) if one.rules.is_labels else torch.rand(shape)


def _tensors(content: Any) -> Iterator[torch.Tensor]:
    if isinstance(content, torch.Tensor):
        yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _tensors(value)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
