"""Runs a command in a separate process with limits of time and memory, sends signals, and classifies wrong ends."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

FOLDERS = ("raw", "preprocessed", "results")
CODES = {0, 1, 2, 130, 138, 143}
CLASSES = ("crash", "hang", "traceback", "unnamed", "silent change", "memory", "lost signal")
_SECONDS_TO_END = 30.0  # after a signal: a case that is being written is finished first
_SECONDS_AT_THE_END = 2.0  # in which a command may end with 0 after a signal, because its work was done
_MOST_MEMORY = 6 * 2**30  # bytes beyond what is loaded
_PAUSE = 0.005


@dataclass(frozen=True)
class Interruption:
    """A signal, and the seconds after which it is sent."""

    number: int
    after: float


@dataclass(frozen=True)
class Outcome:
    """How a command ended: ``code`` as of a shell (minus the signal's number where one ended it); ``text``: its output;
    ``waited``: the seconds between the signal and the end."""

    line: str
    code: int
    text: str
    seconds: float
    timed_out: bool = False
    waited: float | None = None


def load() -> None:
    """Import what the commands import, so that each process of them begins with it."""
    for path in sorted((Path(import_module("ct2pet.cli").__file__ or "").parent).glob("[!_]*.py")):
        import_module(f"ct2pet.cli.{path.stem}")
    for path in sorted((Path(import_module("ct2pet.api").__file__ or "").parent).glob("[!_]*.py")):
        import_module(f"ct2pet.api.{path.stem}")


def run(line: str, root: Path, limit_s: float, interruption: Interruption | None = None) -> Outcome:
    """A command (its name without ct2pet_, and its arguments) whose folders are below ``root``. It is killed, with all
    processes that it started, after ``limit_s`` seconds, or 30 s after the signal."""
    ready, told = os.pipe()
    with tempfile.TemporaryFile() as output:
        process = os.fork()
        if not process:
            _become(line, root, output.fileno(), told)
        os.close(told)
        os.read(ready, 1)  # the command begins now, or its process has ended
        os.close(ready)
        started = time.monotonic()
        code, timed_out, sent = _watch(process, started, limit_s, interruption)
        ended = time.monotonic()
        output.seek(0)
        text = output.read().decode("utf-8", errors="replace")
    waited = None if sent is None else ended - sent
    return Outcome(line, code, text, ended - started, timed_out, waited)


def _become(line: str, root: Path, output: int, told: int) -> None:
    """In the new process: the command only."""
    code = 99
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        os.chdir(root)
        os.environ.update({f"ct2pet_{kind}": str(root / kind) for kind in FOLDERS})
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_MEMORY, used + _MOST_MEMORY))
        name, *arguments = line.split()
        main = import_module(f"ct2pet.cli.{name}").main
        os.write(told, b".")
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 99
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(
    process: int, started: float, limit_s: float, interruption: Interruption | None
) -> tuple[int, bool, float | None]:
    """The exit code, whether the time limit was reached, and when the signal was sent."""
    sent, deadline = None, started + limit_s
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            _kill_group(process)  # its remaining processes
            return os.waitstatus_to_exitcode(status), False, sent
        now = time.monotonic()
        if interruption is not None and sent is None and now >= started + interruption.after:
            os.kill(process, interruption.number)
            sent, deadline = now, min(deadline, now + _SECONDS_TO_END)
        if now >= deadline:
            _kill_group(process)
            os.waitpid(process, 0)
            return -signal.SIGKILL, True, sent
        time.sleep(_PAUSE)


def _kill_group(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def problem(outcome: Outcome, names: tuple[str, ...] = ()) -> str | None:
    """The class of the problem with the end of a command without a signal; None without a problem. ``names``: a refusal
    must name one of these files."""
    text = outcome.text
    if outcome.timed_out:
        return "hang"
    if "MemoryError" in text or "not enough memory" in text or "DefaultCPUAllocator" in text:
        return "memory"
    if outcome.code not in CODES:
        return "crash"
    if "Traceback" in text or "unexpected " in text or "--verbose shows where" in text:
        return "traceback"
    if outcome.code and names and not any(name in text for name in names):
        return "unnamed"
    return None


def problem_of_signal(outcome: Outcome, number: int) -> str | None:
    """The same for a command that was sent a signal."""
    code = 130 if number == signal.SIGINT else 128 + number
    at_the_end = outcome.waited is None or (outcome.code == 0 and outcome.waited < _SECONDS_AT_THE_END)
    if outcome.timed_out or not (at_the_end or outcome.code in (code, -number)):
        return "lost signal"
    return "traceback" if "Traceback" in outcome.text else None
