"""Several trainings at the same time, each on its own device; every line of output begins with the district."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import torch

from ct2pet.parallel import CaseResults, default_processes, map_cases_on
from ct2pet.provenance import command_of, this_command


def train_at_once(work: Callable[..., Any], districts: Mapping[str, tuple], devices: Sequence[str]) -> dict[str, Any]:
    """``work(device, *arguments)`` for every district of ``{name: arguments}``, one at a time on each device, each in
    its own process; returns the results by name.

    Printed lines begin with the district's name. A failure does not stop the others. Raises CasesFailed that names the
    failed districts.
    """
    threads = max(1, default_processes() // len(devices))
    jobs = {name: (name, threads, this_command(), work, arguments) for name, arguments in districts.items()}
    return done_or_raise(map_cases_on(_apart, jobs, devices))


def done_or_raise(results: CaseResults) -> dict[str, Any]:
    """The values of the districts; CasesFailed where any failed."""
    results.raise_failures("failed", noun="district")
    return results.values


def _apart(device: str, name: str, threads: int, command: str | None, work: Callable, arguments: tuple) -> Any:
    """In a process for this district alone."""
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(threads)
    with lines_of(name), command_of(command):
        try:
            return work(device, *arguments)
        except Exception as error:  # also listed at the end, which may be a day later
            print(f"failed: {str(error) or type(error).__name__}", file=sys.stderr)
            raise


@contextlib.contextmanager
def lines_of(name: str) -> Iterator[None]:
    """Inside the block each line on standard output and standard error begins with ``[name]``."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Prefixed(stream, f"[{name}] ") for stream in streams)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = streams


class Prefixed(io.TextIOBase):
    """Writes whole lines to ``stream``, each with ``prefix`` and in one call, so that lines of several processes do not
    mix. A carriage return ends a line, too."""

    def __init__(self, stream: TextIO, prefix: str) -> None:
        self.stream, self.prefix = stream, prefix
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).replace("\r", "\n").split("\n")
        self._pass_on(lines)
        return len(text)

    def flush(self) -> None:
        lines, self._begun = [self._begun], ""
        self._pass_on(lines)

    def _pass_on(self, lines: list[str]) -> None:
        whole = "".join(f"{self.prefix}{line}\n" for line in lines if line.strip())
        if whole:
            self.stream.write(whole)
            self.stream.flush()
