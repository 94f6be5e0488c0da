"""Cases in processes of this machine, by pebble."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any

from pebble import ProcessExpired, ProcessPool

from ct2pet.interruption import held_back
from ct2pet.parallel.memory import default_processes
from ct2pet.parallel.outcomes import Failure, failure_of, pickled_outcome, unpickled


def in_processes(
    function: Callable, cases: Mapping[str, tuple], places: Sequence[tuple], one_case_each: bool = False
) -> Generator[tuple[str, Any], None, None]:
    """``function(*place, *arguments)`` for every case of ``{case: arguments}``, in one process for each of ``places``;
    every case with its value or Failure, as they are done.

    ``one_case_each``: a new process for every case. A process that dies fails its own case. When the generator is
    closed, all processes end at once.
    """
    workers = [_Worker(function, place, len(places)) for place in places]
    waiting, free = list(cases.items())[::-1], workers[::-1]
    running: dict[Future, tuple[_Worker, str]] = {}
    try:
        while waiting or running:
            while waiting and free:
                worker, (case, arguments) = free.pop(), waiting.pop()
                running[worker.begin(arguments)] = (worker, case)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, case = running.pop(future)
                outcome = worker.outcome(future)
                if one_case_each or not waiting:
                    worker.end()
                free.append(worker)
                yield case, outcome
    finally:
        with ThreadPoolExecutor(len(workers)) as ending:  # each may take seconds
            list(ending.map(_Worker.end, workers))


class _Worker:
    """A pool of one process. ``place``: arguments that come before those of each case.

    Each process has a pool, and thereby a pipe and locks, of its own: one that dies while it holds a lock, or while it
    sends a result, disturbs no other. Its pool is replaced.
    """

    def __init__(self, function: Callable, place: tuple, num_processes: int) -> None:
        self._function, self._place, self._num_processes = function, place, num_processes
        self._pool: ProcessPool | None = None

    def begin(self, arguments: tuple) -> Future:
        """Start the case of these ``arguments``."""
        with _signals_held_back():
            if self._pool is None:
                self._pool = ProcessPool(
                    max_workers=1,
                    initializer=_prepare_process,
                    initargs=(self._num_processes,),
                    context=multiprocessing.get_context("spawn"),
                )
            return self._pool.schedule(pickled_outcome, (self._function, (*self._place, *arguments)))

    def outcome(self, future: Future) -> Any:
        """The value of a case that is done, or its Failure."""
        error = future.exception()
        if error is None:
            return unpickled(future.result())
        self.end()
        if isinstance(error, ProcessExpired):
            return Failure(_cause_of_death(error.exitcode))
        if isinstance(error, BrokenProcessPool):
            return Failure(_cause_of_death(None))
        return failure_of(error)

    def end(self) -> None:
        """End the process, whatever it does."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            pool.join()


def _cause_of_death(exit_code: int | None) -> str:
    if exit_code == -9:
        return "its process was killed (probably out of memory: try fewer processes at a time)"
    if exit_code is None:
        return "its process ended (try one process at a time)"
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with exit code {exit_code}"
    return f"its process {how} (try one process at a time)"


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Inside the block no signal that ends the command interrupts it, so that no process is left half-started. In
    processes that are started there, or by threads that are, the system holds back Ctrl-C, which the caller answers, so
    that they do not show the traceback of imports."""
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
    """In a worker: share the cores, and end with the parent, even when it was killed."""
    import SimpleITK as sitk

    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(max(1, default_processes() // num_processes))


def _exit_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
