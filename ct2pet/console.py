"""Output of the commands: one live line of progress in a terminal, plain lines elsewhere, and tables."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

NO_PROGRESS = "ct2pet_no_progress"  # environment variable that hides all progress
_SECONDS_BETWEEN_LINES = 30.0  # of a log file
_SHORTEST_BAR, _LONGEST_BAR = 8, 40
_WIDTH_OF_A_FILE = 10_000  # lines of a log file are not wrapped


@dataclass
class Progress:
    """The progress of a task. ``total`` and ``done`` count ``unit``; ``already`` was done before this run and is not
    part of the speed. ``notes``: more text of the live line, most important first; a narrow terminal shows fewer."""

    description: str
    total: float
    unit: str = "case"
    done: float = 0.0
    already: float = 0.0
    notes: Sequence[str] = ()
    started: float = field(default_factory=lambda: time.monotonic())
    on_change: Callable[[], None] = lambda: None
    _latest: tuple[float, float] = (0.0, 0.0)  # the time of the latest change, and its amount

    def advance(self, amount: float = 1.0) -> None:
        """Add ``amount`` to what is done."""
        self.done = min(self.total, self.done + amount)
        self._latest = time.monotonic(), amount
        self.on_change()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the speed until the latest change, minus the time since then, so that it falls between two
        changes; but not less than if another change of the same amount happened now. None at the start."""
        done, remaining = self.done - self.already, self.total - self.done
        if done <= 0:
            return None
        changed, amount = self._latest
        falling = (changed - self.started) * remaining / done - (self.started + self.seconds - changed)
        return max(falling, self.seconds * max(0.0, remaining - amount) / (done + amount))

    @property
    def count(self) -> str:
        """The done part of the total, as whole numbers or as a percentage."""
        if self.unit == "%":
            return f"{100 * self.done / max(self.total, 1e-9):.0f}%"
        return f"{self.done:.0f}/{self.total:.0f} {plural(self.unit, self.total)}"

    @property
    def is_complete(self) -> bool:
        """Whether all is done, except for rounding of added shares."""
        return self.total - self.done <= 1e-6 * self.total

    def line(self) -> str:
        """The state as a line of a log file."""
        left = self.seconds_left
        remaining = f", about {duration(left)} left" if left is not None and not self.is_complete else ""
        return f"{self.description}: {self.count}, {duration(self.seconds)}{remaining}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line that is never wider than the terminal: the least important parts are omitted first."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        left = self.seconds_left
        time_text = f"{duration(left)} left" if left is not None else duration(self.seconds)
        parts = [self.description, self.count, time_text]
        width = options.max_width - 1  # some terminals wrap a line that fills them
        for note in self.notes:
            if len("  ".join([*parts, note])) > width:
                break
            parts.append(note)
        left = width - len("  ".join(parts)) - 2
        if left < _SHORTEST_BAR:
            yield Text("  ".join(parts), no_wrap=True, overflow="ellipsis", end="\n")
            return
        grid = Table.grid(padding=(0, 1))
        for _ in range(len(parts) + 1):
            grid.add_column(no_wrap=True)
        bar = ProgressBar(self.total, self.done, width=min(left - len(parts), _LONGEST_BAR))
        grid.add_row(*(Text(part, no_wrap=True) for part in parts[:1]), bar, *map(Text, parts[1:]))
        yield grid


@contextmanager
def progress(
    description: str, total: float, unit: str = "case", *, already: float = 0.0, shown: bool = True
) -> Iterator[Progress]:
    """Show the progress of the block on standard error; the block calls ``advance``.

    In a terminal it is one live line, removed at the end; lines printed by the block stay above it. Elsewhere it is a
    line every 30 s and one at the end. Nothing is shown where not ``shown``, where ``total`` is 0, or where the
    environment variable NO_PROGRESS is set.
    """
    state = Progress(description, total, unit, already, already)
    if not shown or total <= 0 or NO_PROGRESS in os.environ:
        yield state
    elif sys.stderr.isatty():
        with _live(state):
            yield state
    else:
        lines = _Lines(state, sys.stderr)
        state.on_change = lines.changed
        yield state
        lines.write()


@contextmanager
def _live(state: Progress) -> Iterator[None]:
    from rich.live import Live

    redirected = {"redirect_stdout": sys.stdout.isatty(), "redirect_stderr": True}
    with Live(state, console=error_console(), transient=True, refresh_per_second=4, **redirected):  # type: ignore[arg-type]
        yield


class _Lines:
    """Progress in a log file: one line per interval."""

    def __init__(self, state: Progress, stream: TextIO) -> None:
        self.state, self.stream = state, stream
        self.next = state.started + _SECONDS_BETWEEN_LINES
        self.written = ""

    def changed(self) -> None:
        if time.monotonic() >= self.next and self.state.done < self.state.total:
            self.write()

    def write(self) -> None:
        self.next = time.monotonic() + _SECONDS_BETWEEN_LINES
        print(self.state.line(), file=self.stream, flush=True)


def error_console() -> Console:
    """The terminal (or file) of standard error."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    width = None if stream.isatty() else _WIDTH_OF_A_FILE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def output_width() -> int | None:
    """The characters in a line of the terminal of standard output; None if it is a file, whose lines may be longer."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, width: int | None) -> str:
    """The text with lines of at most ``width`` characters, broken between words; unchanged with None."""
    if width is None:
        return text
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) for line in text.splitlines()
    )


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output. Where the terminal is too narrow for the columns, each value is a line under
    the row's name."""
    from rich import box
    from rich.table import Table

    console = _console(sys.stdout)
    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for index, name in enumerate(header):
        made.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    wanted = console.measure(made, options=console.options.update(width=_WIDTH_OF_A_FILE)).maximum
    if wanted <= console.width:
        console.print(made)
        return
    print(title)
    for row in rows:
        print(row[0])
        for name, value in zip(header[1:], row[1:]):
            console.print(f"  {name}: {value}")


def say(text: str) -> None:
    """Print a line on standard error, above the live line."""
    print(text, file=sys.stderr, flush=True)


def plural(noun: str, number: float) -> str:
    return noun if number == 1 else f"{noun}s"


def duration(seconds: float) -> str:
    """A duration with its unit, rounded to a useful precision: 4.2 s, 35 s, 12 min, 3 h 05 min, 4 d 7 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest:02d} min"
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days} d {hours} h"


def clock(seconds: float, now: datetime | None = None) -> str:
    """The local time in ``seconds`` from now, with the date where it is another day."""
    now = now or datetime.now()
    end = now + timedelta(seconds=seconds)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"


def with_unit(name: str, value: float) -> str:
    """A logged number with the unit from the end of its name (``mae_suv``)."""
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return f"{_title(name.removesuffix(ending))} {value:.3g} {unit}"
    return f"{_title(name)} {value:.3g}"


_UNITS = {"_suv": "SUV", "_hu": "HU", "_db": "dB", "_mm": "mm"}
_ACRONYMS = {"mae": "MAE", "rmse": "RMSE", "psnr": "PSNR", "ssim": "SSIM", "dice": "Dice"}


def _title(name: str) -> str:
    return " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))
