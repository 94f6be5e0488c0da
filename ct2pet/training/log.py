"""The training log: one row per epoch, as CSV, as TensorBoard events and as a picture."""

from __future__ import annotations

import contextlib
import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.errors import TrainingError
from ct2pet.evaluation.names import training_metric_title
from ct2pet.files import atomic_path
from ct2pet.layout import is_loss as is_loss

Row = dict[str, float]
VALIDATION = layout.VALIDATION_METRIC
_SHARE_OF_TIME = 0.02


@dataclass(frozen=True)
class Monitor:
    """The metric that ranks the epochs: its column in the log, and whether a larger value is better."""

    column: str
    maximize: bool = False

    @property
    def worst(self) -> float:
        return -math.inf if self.maximize else math.inf

    def rank(self, value: float) -> float:
        """Lower is better."""
        return -value if self.maximize else value


class TrainingLog:
    """Rows of ``epoch``, ``seconds``, ``learning_rate``, the mean of each loss, and the ``validation_`` metrics, of
    which ``monitor`` ranks the epochs.

    The checkpoint contains the rows; the files are written after every epoch. Rows of epochs lost by an interruption
    are replaced when the training continues.
    """

    def __init__(self, folder: Path, monitor: Monitor, rows: list[Row] | None = None) -> None:
        self.folder, self.monitor = folder, monitor
        self.rows: list[Row] = list(rows or [])
        self._events: Any = None
        self._drawn = 0
        self._next_picture = 0.0

    def add(self, row: Row) -> None:
        self.rows.append(row)

    @property
    def best(self) -> Row:
        """The first row with the best value of the monitor."""
        return min(self.rows, key=lambda row: self.monitor.rank(row[self.monitor.column]))

    @property
    def epochs_since_best(self) -> int:
        """The number of epochs since the best one; 0 before the first."""
        return int(self.rows[-1]["epoch"] - self.best["epoch"]) if self.rows else 0

    def write(self) -> None:
        """Write training_log.csv, add the newest row to the TensorBoard events, and draw progress.png, unless drawing
        would take more than 2% of the time; ``close`` always draws it.

        Raises TrainingError where it cannot be written (a full disk).
        """
        try:
            self._write_table()
            self._write_events()
            if time.monotonic() >= self._next_picture:
                self._draw()
        except OSError as error:
            raise TrainingError(
                f"{self.folder}: the log cannot be written ({error.strerror or error}); the previous log is kept; "
                "free disk space and continue with --c"
            ) from error

    def _draw(self) -> None:
        """Draw progress.png, and set the earliest time of the next drawing."""
        started = time.monotonic()
        with atomic_path(self.folder / layout.PROGRESS_PICTURE) as path:
            _plot(self.rows, self.monitor.column, path)
        self._drawn = len(self.rows)
        self._next_picture = time.monotonic() + (time.monotonic() - started) / _SHARE_OF_TIME

    def _write_table(self) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with (
            atomic_path(self.folder / layout.TRAINING_LOG) as path,
            path.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)

    def _write_events(self) -> None:
        if self._events is None:
            from ct2pet.training.events import EventFile

            # After a resumption the events of the epochs from here on replace those of the interrupted run.
            self._events = EventFile(self.folder, first_step=int(self.rows[-1]["epoch"]))
        row = self.rows[-1]
        self._events.add(int(row["epoch"]), {name: value for name, value in row.items() if name != "epoch"})

    def close(self) -> None:
        """Draw the last picture and close the event file, which was flushed after every write."""
        with contextlib.suppress(OSError):  # a full disk, already reported by write
            if self._events is not None and self._drawn < len(self.rows):
                self._draw()
        with contextlib.suppress(OSError):
            if self._events is not None:
                self._events.close()


def _plot(rows: list[Row], monitor: str, path: Path) -> None:
    _figure(rows, monitor).savefig(path, dpi=90, format="png")


def _figure(rows: list[Row], monitor: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 8), layout="constrained")
    losses, validation = figure.subplots(2, 1, sharex=True)
    names = [name for name in rows[-1] if is_loss(name)]
    for name in names:
        losses.plot(*_curve(rows, name), label=name, marker="." if len(rows) == 1 else "")
    losses.set(ylabel="loss (normalised units)", title="Mean of each epoch", yscale="log")
    losses.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)  # beside the axes: it covers no curve
    validation.plot(*_curve(rows, monitor), color="black", marker=".")
    name = training_metric_title(monitor.removeprefix(VALIDATION))
    validation.set(xlabel="epoch", ylabel=f"{name}, patches of the validation cases", ylim=(0, None))
    for axes in (losses, validation):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def _curve(rows: list[Row], name: str) -> tuple[list[float], list[float]]:
    """Epochs, counted from 1 as in the terminal, and values."""
    with_value = [row for row in rows if name in row]
    return [row["epoch"] + 1 for row in with_value], [row[name] for row in with_value]
