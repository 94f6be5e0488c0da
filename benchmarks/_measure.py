"""The measurement of all benchmarks: arms that do the same work, one process each, in turns.

A benchmark is a script with a dictionary of arms. ``run`` starts the script again for each arm and each round, so that
every number is from a process without other work; the arms alternate, so that other load on the machine affects all of
them. This module only imports the standard library, because a process inherits the peak memory of its parent.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUNDS = 5
_TITLES = {
    **{"seconds": "s, whole process", "cpu_seconds": "CPU s, whole process", "inner": "s", "inner_cpu": "CPU s"},
    **{"peak_mib": "peak MiB", "extra_mib": "extra MiB"},
}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
Arm = Callable[[Path, str], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Run:
    """One process: seconds by the clock and of the processors (user + system), peak memory (MiB) and its own
    results."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    told: Mapping[str, Any]


@dataclass(frozen=True)
class Figures:
    """The runs of one arm. Every number is a median."""

    runs: Sequence[Run]

    def of(self, name: str) -> Any:
        """The median of ``seconds``, ``cpu_seconds``, ``peak_mib`` or of a result of the arm; of other results the last
        one."""
        values = [getattr(run, name) if hasattr(run, name) else run.told[name] for run in self.runs]
        return statistics.median(values) if isinstance(values[0], (int, float)) else values[-1]

    def has(self, name: str) -> bool:
        return all(name in run.told or hasattr(run, name) for run in self.runs)


def run_process(command: Sequence[str]) -> Run:
    """Run ``command`` to its end; the last line of its output is its results as JSON. Exits where it fails."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        lines = output.read().strip().splitlines()
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed ({process.returncode}):\n{errors.read()[-4000:]}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, told)


def in_turns(commands: Mapping[str, Sequence[str]], rounds: int = ROUNDS) -> dict[str, Figures]:
    """Each command ``rounds`` times, one after the other in every round."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            runs[name].append(run_process(command))
            last = runs[name][-1]
            print(f"# {number + 1}/{rounds} {name}: {last.seconds:.2f} s, {last.peak_mib:.0f} MiB", file=sys.stderr)
    return {name: Figures(own) for name, own in runs.items()}


def peak_mib() -> float:
    """The peak memory of this process so far (on Linux since its program began, else since its parent's)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


class Stopwatch:
    """Runs from its creation, or from the last ``start``."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._started = time.perf_counter(), time.process_time()

    def seconds(self) -> dict[str, float]:
        """``inner`` and ``inner_cpu``: seconds by the clock and of the processors."""
        wall, cpu = self._started
        return {"inner": time.perf_counter() - wall, "inner_cpu": time.process_time() - cpu}


def clocked(function: Callable[[], Any], repeats: int = 1) -> tuple[dict[str, float], Any]:
    """``inner`` and ``inner_cpu`` of one call of ``function``, the mean of ``repeats``; and its last result."""
    watch = Stopwatch()
    for _ in range(repeats):
        result = function()
    return {name: seconds / repeats for name, seconds in watch.seconds().items()}, result


def table(
    figures: Mapping[str, Figures], columns: Mapping[str, tuple[str, str]], first: str = "", reference: str = ""
) -> str:
    """A Markdown table: a row an arm, ``columns`` {number: (title, format)}; the ratio to the row ``reference`` is
    beside each column whose title ends in a comma (",")."""
    titles, rows = [first], {name: [name] for name in figures}
    for number, (title, form) in columns.items():
        relative = title.endswith(",")
        titles += [title.rstrip(","), "ratio"] if relative else [title]
        for name, own in figures.items():
            value = own.of(number) if own.has(number) else None
            rows[name].append("" if value is None else format(value, form))
            if relative:
                same = value is None or not figures[reference].has(number)
                rows[name].append("" if same else f"{value / figures[reference].of(number):.2f}")
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows.values()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(
    claim: str, figures: Mapping[str, Figures], numbers: Sequence[str], wanted: float | None, peer: str, own: str
) -> str:
    """A line with the ratio of ``peer`` to ``own`` in each of ``numbers``, and whether the first one reaches the target
    ``wanted`` (None: no target)."""
    ratios = [figures[peer].of(number) / figures[own].of(number) for number in numbers]
    found = ", ".join(f"{ratio:.1f} ({_TITLES[number]})" for ratio, number in zip(ratios, numbers))
    if wanted is None:
        return f"* {claim}: {found}"
    return f"* {claim}, wanted {wanted:g}: {found}{'' if ratios[0] >= wanted else ' – **not reached**'}"


def benchmark(
    script: str,
    description: str,
    arms: Mapping[str, Arm],
    prepare: Callable[[Path, str], None],
    report: Callable[[dict[str, Figures], str], str],
    groups: Callable[[str], Sequence[str]] | None = None,
) -> None:
    """The main function of a benchmark.

    ``prepare`` writes the input of all arms into a folder; ``arms`` {name: function of folder and size}, which returns
    its results; ``report`` makes the text. ``groups``: the arms of a size (default: all).
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["quick", "full"], default="quick")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", metavar="ARM", help="these arms, with the reference of each table")
    parser.add_argument("--folder", type=Path, help="for what the arms read (default: a temporary one)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each process (default: all cores)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.child is not None:
        told = (prepare if parsed.child == "prepare" else arms[parsed.child])(parsed.folder, parsed.size)
        print(json.dumps(told or {}))
        return
    os.environ.update(dict.fromkeys(_THREADS, str(parsed.threads)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = parsed.folder or Path(temporary)
        names = parsed.only or (groups(parsed.size) if groups else list(arms))
        own = [sys.executable, script, "--size", parsed.size, "--folder", str(folder), "--child"]
        run_process([*own, "prepare"])
        print(report(in_turns({name: [*own, name] for name in names}, parsed.rounds), parsed.size))
