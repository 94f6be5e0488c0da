"""Output of a training on standard error: a start line, a live line, a line per epoch, and the result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ct2pet.console import Progress, clock, duration, plural, progress, say, with_unit
from ct2pet.layout import is_loss
from ct2pet.training.log import VALIDATION, Monitor, Row, TrainingLog
from ct2pet.training.schedule import Schedule

_STEPS_OF_ESTIMATE = 10
_WORTH_SAYING = 60.0  # s; for shorter trainings no estimate is shown
_LONG = 3600.0  # s


class TrainingDisplay:
    """``name``: of the training. Where not ``shown``, it prints only events that end or change the training."""

    def __init__(self, name: str, schedule: Schedule, monitor: Monitor, device: str, shown: bool) -> None:
        self.name, self.schedule, self.monitor = name, schedule, monitor
        self.device, self.shown = device, shown
        self._bar: Progress | None = None
        self._steps = 0
        self._first_step_ended = 0.0

    def start(self, first: int, folder: Path) -> None:
        """Print the epochs to train, from ``first`` on (from 0), and the folder."""
        epochs = f"epochs {first + 1} to {self.schedule.num_epochs}"
        self._tell(f"{epochs} of {self.schedule.iterations} steps on {self.device}, into {folder}")

    @contextmanager
    def live(self, first: int) -> Iterator[None]:
        """The live line of all epochs from ``first`` on."""
        done = self.schedule.iterations * first
        with progress(self.name, self.schedule.total_steps, "step", already=done, shown=self.shown) as bar:
            self._bar = bar
            yield

    def step(self) -> None:
        """Count a step. After ten steps the time of the whole training is estimated."""
        assert self._bar is not None
        self._steps += 1
        self._bar.advance()
        if self._steps == 1:
            self._first_step_ended = time.monotonic()
        if self._steps == _STEPS_OF_ESTIMATE:
            each = (time.monotonic() - self._first_step_ended) / (_STEPS_OF_ESTIMATE - 1)
            self._tell_estimate(each, self._bar.total - self._bar.done)

    def _tell_estimate(self, seconds_per_step: float, steps: float) -> None:
        left = seconds_per_step * steps
        if left < _WORTH_SAYING:
            return
        text = f"{duration(seconds_per_step)} per step: about {duration(left)} for this training, until {clock(left)}"
        if self.device == "cpu" and left > _LONG:
            text += " (on a CPU; --num_epochs, --iterations_per_epoch or --early_stop shorten it)"
        self._tell(text)

    def epoch(self, row: Row, log: TrainingLog, best: bool) -> None:
        """Print the line of a finished epoch, ``row`` of the log; ``best``: whether it is the best one so far."""
        done = int(row["epoch"]) + 1
        numbers = [duration(row["seconds"]), f"learning rate {row['learning_rate']:.3g}"]
        numbers += [f"{name} {value:.3g}" for name, value in row.items() if is_loss(name)]
        metrics = [_metric(name, value) for name, value in row.items() if name.startswith(VALIDATION)]
        left = self._bar.seconds_left if self._bar is not None and done < self.schedule.num_epochs else None
        ending = [f"{duration(left)} left (until {clock(left)})"] if left is not None else []
        text = ", ".join([*numbers, *metrics, *(["best so far"] if best else []), *ending])
        self._tell(f"epoch {done}/{self.schedule.num_epochs}: {text}")
        if self._bar is not None:
            current = min(done + 1, self.schedule.num_epochs)
            self._bar.notes = [f"epoch {current}/{self.schedule.num_epochs}", self._best(log), *metrics, *numbers[2:]]

    def _best(self, log: TrainingLog) -> str:
        row = log.best
        value = _metric(self.monitor.column, row[self.monitor.column]).removeprefix("validation ")
        return f"best {value} (epoch {row['epoch'] + 1:.0f})"

    def stopped_early(self, epoch: int, log: TrainingLog) -> None:
        """Print that the training stops after ``epoch`` epochs."""
        epochs = f"{epoch} of {self.schedule.num_epochs} epochs"
        say(f"{self.name}: stopped early after {epochs}; {self._best(log)}")

    def finished(self, log: TrainingLog) -> None:
        """Print the duration and the result of the training."""
        if log.rows:
            seconds = sum(row["seconds"] for row in log.rows)
            self._tell(
                f"trained {len(log.rows)} {plural('epoch', len(log.rows))} in {duration(seconds)}; {self._best(log)}"
            )

    def _tell(self, text: str) -> None:
        if self.shown:
            say(f"{self.name}: {text}")


def _metric(column: str, value: float) -> str:
    return f"validation {with_unit(column.removeprefix(VALIDATION), value)}"
