"""Many cases, several processes, one progress bar: what fails is named, and the others go on."""

from __future__ import annotations

import contextlib
import inspect
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import psutil

from ct2pet.console import progress
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.interruption import held_back

_GIB = 2.0**30
_SECONDS_TO_END = 10.0
_UNGUARDED = 86  # the exit code of a process whose script calls ct2pet while it is imported


@dataclass
class CaseResults:
    """What ``map_cases`` returns: ``values`` of the cases that are done, one-line ``failures`` of the others, and
    the ``tracebacks`` of those failures that are not a user's (for --verbose)."""

    values: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    tracebacks: dict[str, str] = field(default_factory=dict)

    def raise_failures(self, what: str, *, some_done: bool = False, noun: str = "case") -> None:
        """Raise CasesFailed, naming them, where cases failed. ``some_done``: whether others are done, besides those of
        ``values``."""
        if self.failures:
            done = some_done or bool(self.values)
            raise CasesFailed(self.failures, some_done=done, what=what, tracebacks=self.tracebacks, noun=noun)


@dataclass(frozen=True)
class _Failure:
    reason: str
    traceback: str | None


def default_processes() -> int:
    """As many processes as there are cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory_gib() -> float:
    """Memory (GiB) that may still be used: the system's, or what the control groups (container, job) leave."""
    available = psutil.virtual_memory().available
    with contextlib.suppress(OSError):  # not Linux
        membership = Path("/proc/self/cgroup").read_text(encoding="utf-8")
        available = min([available, *_left_by_control_groups(membership, Path("/sys/fs/cgroup"))])
    return max(0, available) / _GIB


def _left_by_control_groups(membership: str, root: Path) -> Iterator[int]:
    """Bytes that each limiting control group leaves; ``membership`` is /proc/self/cgroup. Caches of files count as
    free, because the kernel drops them before it refuses memory."""
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folder, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):  # version 1
            folder = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = Path(path)
        for part in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError, KeyError):  # not visible from here, or no limit ("max")
                yield _left_by_one(folder / part.relative_to("/"), *names)


def _left_by_one(folder: Path, limit: str, used: str, cache: str) -> int:
    statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return int((folder / limit).read_text()) - int((folder / used).read_text()) + int(statistics[cache])


def end_if_unguarded() -> None:
    """End this process where it is a worker that is still importing the main script.

    A worker of multiprocessing (spawn) imports the script that started it. A script that calls ct2pet outside of
    ``if __name__ == "__main__":`` would do all of its work again there. The process ends silently, with an exit code by
    which its parent says what is wrong with the script.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == "__mp_main__" and frame.f_code.co_name == "<module>":
            os._exit(_UNGUARDED)
        frame = frame.f_back


def map_cases(
    function: Callable[..., Any],
    cases: Mapping[str, tuple],
    *,
    num_processes: int = 1,
    memory_per_process_gib: float = 0.0,
    description: str = "",
) -> CaseResults:
    """Call ``function(*arguments)`` for every case of ``{case: arguments}``, ``num_processes`` at a time.

    Fewer processes run where ``memory_per_process_gib`` says that more would not fit into the free memory; one always
    runs. With one process everything happens in the caller's. A case that raises is recorded and the others go on; so
    is a case whose process dies (out of memory). An interruption ends all processes at once and is passed on.
    """
    results = CaseResults()
    num_processes = _that_fit(min(num_processes, len(cases)), memory_per_process_gib)
    several = num_processes > 1
    outcomes = _in_processes(function, cases, [()] * num_processes) if several else _here(function, cases)
    with progress(description, len(cases), shown=bool(description)) as bar, contextlib.closing(outcomes):
        for case, outcome in outcomes:
            _record(results, case, outcome)
            bar.advance()
    return results


def map_cases_on(function: Callable[..., Any], cases: Mapping[str, tuple], places: Sequence[Any]) -> CaseResults:
    """As map_cases, with one process at a time for each of ``places`` (devices, say): ``function(place, *arguments)``.

    Whichever place is free takes the next case, in a process that is new for it and leaves nothing on the place.
    """
    results = CaseResults()
    outcomes = _in_processes(function, cases, [(place,) for place in places], one_case_each=True)
    with contextlib.closing(outcomes):
        for case, outcome in outcomes:
            _record(results, case, outcome)
    return results


def _that_fit(num_processes: int, memory_per_process_gib: float) -> int:
    if memory_per_process_gib > 0:
        num_processes = min(num_processes, int(available_memory_gib() / memory_per_process_gib))
    return max(1, num_processes)


def _here(function: Callable, cases: Mapping[str, tuple]) -> Generator[tuple[str, Any], None, None]:
    for case, arguments in cases.items():
        yield case, _guarded(function, arguments)


def _in_processes(
    function: Callable, cases: Mapping[str, tuple], places: Sequence[tuple], one_case_each: bool = False
) -> Generator[tuple[str, Any], None, None]:
    waiting, free = list(cases.items())[::-1], list(places)[::-1]
    workers: dict[Connection, _Worker] = {}
    try:
        while waiting or workers:
            while waiting and free:
                worker = _Worker(function, free.pop(), len(places))
                workers[worker.pipe] = worker
                worker.take(*waiting.pop())
            for pipe in wait(list(workers)):
                worker = workers[pipe]  # type: ignore[index]
                yield worker.case, worker.outcome()
                if waiting and not one_case_each and worker.process.is_alive():
                    worker.take(*waiting.pop())
                else:
                    del workers[worker.pipe]
                    worker.end(_SECONDS_TO_END)
                    free.append(worker.place)
    finally:
        for worker in workers.values():
            worker.process.kill()
        for worker in workers.values():
            worker.end(_SECONDS_TO_END)


class _Worker:
    """A process that works on one case at a time, and the caller's end of the pipe to it. ``place``: arguments that
    come before those of each case.

    Each process has a pipe of its own, and the caller no threads: a process that dies, at whatever moment, closes its
    pipe and can neither hold a lock that others wait for nor leave half a result in a queue that others use. (A
    ProcessPoolExecutor waits for ever where a process is killed while it sends a result.)
    """

    def __init__(self, function: Callable, place: tuple, num_processes: int) -> None:
        end_if_unguarded()
        context = multiprocessing.get_context("spawn")
        self.place = place
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, function, num_processes), daemon=True)
        with _signals_held_back():
            self.process.start()
        theirs.close()  # now only the process holds it, and its death is the end of the file
        self.case = ""

    def take(self, case: str, arguments: tuple) -> None:
        self.case = case
        with contextlib.suppress(BrokenPipeError):  # it died: outcome() says so
            self.pipe.send((*self.place, *arguments))

    def outcome(self) -> Any:
        """The value of the case, or its _Failure."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.end(_SECONDS_TO_END)
            if self.process.exitcode == _UNGUARDED:
                raise Ct2PetError(
                    'a script that calls ct2pet must do so below `if __name__ == "__main__":`, because its processes '
                    "import the script; indent the calls below this line"
                ) from None
            return _Failure(_cause_of_death(self.process.exitcode or 0), None)

    def end(self, seconds: float) -> None:
        """Let the process end by itself, and kill it where it takes longer than ``seconds``."""
        self.pipe.close()
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _cause_of_death(exit_code: int) -> str:
    if exit_code == -9:
        return "its process was killed (probably out of memory: try fewer processes at a time)"
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with exit code {exit_code}"
    return f"its process {how} (try one process at a time)"


def _guarded(function: Callable, arguments: tuple) -> Any:
    try:
        return function(*arguments)
    except Ct2PetError as error:
        return _Failure(str(error), None)
    except MemoryError:
        return _Failure("not enough memory (try fewer processes at a time)", traceback.format_exc())
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None and error.strerror:
            return _Failure(f"{error.filename}: {error.strerror}", traceback.format_exc())
        return _Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


def _record(results: CaseResults, case: str, value: Any) -> None:
    if not isinstance(value, _Failure):
        results.values[case] = value
        return
    results.failures[case] = value.reason
    if value.traceback:
        results.tracebacks[case] = value.traceback


def _work(pipe: Connection, function: Callable, num_processes: int) -> None:
    """In a worker: one case after the other, until the parent closes the pipe."""
    _prepare_process(num_processes)
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        outcome = _guarded(_pickled, (function, arguments))
        if isinstance(outcome, _Failure):
            pipe.send(outcome)
        else:
            pipe.send_bytes(outcome)


def _pickled(function: Callable, arguments: tuple) -> Any:
    """The value as bytes: a value that cannot be sent is the case's failure too."""
    return ForkingPickler.dumps(function(*arguments))


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Inside the block no signal that ends the command interrupts it, so that no process is left half-started. In a
    process that is started there the system holds back Ctrl-C, which the caller answers, so that it does not show the
    traceback of imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which would let interruptions pass while it starts
    with held_back():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_process(num_processes: int) -> None:
    """In a worker: share the cores, leave Ctrl-C to the parent, and end with it."""
    import SimpleITK as sitk

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(max(1, default_processes() // num_processes))


def end_with_parent() -> None:
    """In a child process: exit when the parent is gone, even when it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
