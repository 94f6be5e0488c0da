"""Many cases, several processes, one progress bar: what fails is named, and the others go on."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from ct2pet.errors import Ct2PetError

_GIB = 2.0**30


@dataclass
class CaseResults:
    """What ``map_cases`` returns: ``values`` of the cases that are done, one-line ``failures`` of the others, and
    the ``tracebacks`` of those failures that are not a user's (for --verbose)."""

    values: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    tracebacks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Failure:
    reason: str
    traceback: str | None


def default_processes() -> int:
    """As many processes as there are cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory_gib() -> float:
    """Memory (GiB) that may still be used: the system's, or what the control group (container, job) leaves."""
    available = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    with contextlib.suppress(OSError, ValueError):  # no control group, or "max"
        available = min(available, int(limit.read_text()) - int(used.read_text()))
    return max(0, available) / _GIB


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
    with tqdm(total=len(cases), desc=description, unit="case", disable=not description or not cases) as bar:
        if num_processes <= 1:
            for case, arguments in cases.items():
                _record(results, case, _guarded(function, arguments))
                bar.update()
            return results
        suspects = _run(function, cases, num_processes, results, bar)
        for case in suspects:  # a process died: alone, each of those under way shows whether it was the one
            if _run(function, {case: cases[case]}, 1, results, bar):
                reason = "its process was killed (probably out of memory: try fewer processes, -np 1)"
                _record(results, case, _Failure(reason, None))
                bar.update()
        rest = {case: args for case, args in cases.items() if case not in {*results.values, *results.failures}}
        if rest:
            bar.close()
            more = map_cases(function, rest, num_processes=num_processes, description=description)
            results.values.update(more.values)
            results.failures.update(more.failures)
            results.tracebacks.update(more.tracebacks)
    return results


def _that_fit(num_processes: int, memory_per_process_gib: float) -> int:
    if memory_per_process_gib > 0:
        num_processes = min(num_processes, int(available_memory_gib() / memory_per_process_gib))
    return max(1, num_processes)


def _run(function: Callable, cases: Mapping[str, tuple], num_processes: int, results: CaseResults, bar: tqdm) -> list:
    """Run the cases in a pool; returns the cases that were under way when a process died."""
    waiting = list(cases)[::-1]
    running: dict[Future, str] = {}
    context = multiprocessing.get_context("spawn")
    before = {process.pid for process in multiprocessing.active_children()}
    pool = ProcessPoolExecutor(num_processes, context, _prepare_process, (num_processes,))
    try:
        while waiting or running:
            while waiting and len(running) < num_processes:
                case = waiting.pop()
                running[pool.submit(_guarded, function, cases[case])] = case
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                value = future.result()  # raises where a process died
                _record(results, running.pop(future), value)
                bar.update()
    except BrokenProcessPool:
        return list(running.values())
    except BaseException:
        for process in multiprocessing.active_children():
            if process.pid not in before:
                process.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return []


def _guarded(function: Callable, arguments: tuple) -> Any:
    try:
        return function(*arguments)
    except Ct2PetError as error:
        return _Failure(str(error), None)
    except MemoryError:
        return _Failure("not enough memory (try fewer processes, -np 1)", traceback.format_exc())
    except Exception as error:
        return _Failure(f"{type(error).__name__}: {error}", traceback.format_exc())


def _record(results: CaseResults, case: str, value: Any) -> None:
    if not isinstance(value, _Failure):
        results.values[case] = value
        return
    results.failures[case] = value.reason
    if value.traceback:
        results.tracebacks[case] = value.traceback


def _prepare_process(num_processes: int) -> None:
    """In a worker: share the cores, leave Ctrl-C to the parent, and end with it."""
    import signal

    import SimpleITK as sitk

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(max(1, default_processes() // num_processes))
    end_with_parent()


def end_with_parent() -> None:
    """In a child process: exit when the parent is gone, even when it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
