"""A training of a given processor time, independent of the epochs in its plans."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from ct2pet.api.training import train
from ct2pet.training import Trainer, TrainingOptions
from ct2pet.training.schedule import Schedule

_EPOCHS = 6  # about; validation, checkpoints and the log, which count, come once in each
_OPTIONS = TrainingOptions(num_workers=0, show_progress=False, final_validation=False, save_every=10**6)


@dataclass(frozen=True)
class ScheduleOfFactors(Schedule):
    """A schedule whose learning rates are multiplied with ``factor``(step)."""

    factor: Callable[[int], float] = lambda step: 1.0

    def learning_rate_factor(self, step: int) -> float:
        return self.factor(step)


class TrainerByTheClock(Trainer):
    """Learning rates decrease with the remaining time as in the plans with the epochs; they are 0 when
    ``seconds`` of this process are over, and the training ends with the epoch under way. ``steps`` were taken before.
    """

    def __init__(self, *arguments: Any, seconds: float, done: list[TrainerByTheClock]) -> None:
        self.seconds, self.steps = seconds, 0
        super().__init__(*arguments)
        done.append(self)

    def run(self) -> None:
        self.started = time.process_time()
        numbers = self.model.hyperparameters
        decay = self.seconds * numbers.decay_epochs / numbers.num_epochs

        def factor(step: int) -> float:
            left = self.seconds - (time.process_time() - self.started)
            if left > 0:
                self.steps = max(self.steps, step + 1)
            return min(1.0, max(0.0, left / max(1e-6, decay)))

        planned = self.schedule
        self.schedule = ScheduleOfFactors(planned.num_epochs, planned.iterations, planned.decay_steps, factor=factor)
        self.optimization.schedule = self.schedule
        super().run()

    def _stalled(self) -> bool:
        return time.process_time() - self.started >= self.seconds


def train_for(
    seconds: float,
    dataset: str,
    model: str,
    fold: str,
    configuration: str,
    plans_name: str,
    *,
    from_whole_body: bool = False,
    pretrained_weights: Path | None = None,
) -> int:
    """Train one configuration into the folder of results, from the beginning, from the whole body that was trained
    before, or from the weights of another training; returns the number of steps."""
    where = {"configurations": [configuration], "plans_name": plans_name, "device": "cpu"}
    done: list[TrainerByTheClock] = []
    iterations = max(1, round(seconds / _EPOCHS / _seconds_a_step(dataset, model, fold, where)))
    options = replace(
        _OPTIONS, num_epochs=10**6, iterations_per_epoch=iterations, pretrained_weights=pretrained_weights
    )
    with patch("ct2pet.training.staged.Trainer", partial(TrainerByTheClock, seconds=seconds, done=done)):
        train(dataset, model, fold, options=options, pretrain_whole_body=from_whole_body, **where)
    return done[0].steps


def _seconds_a_step(dataset: str, model: str, fold: str, where: dict[str, Any]) -> float:
    """An estimate: the time of the second short training, because the first one of a process takes longer."""
    steps = 6
    for _ in range(2):
        started = time.process_time()
        with TemporaryDirectory() as folder, patch.dict("os.environ", ct2pet_results=folder):
            train(dataset, model, fold, options=replace(_OPTIONS, num_epochs=1, iterations_per_epoch=steps), **where)
    return (time.process_time() - started) / steps
