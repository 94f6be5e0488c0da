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
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from pebble import ProcessExpired, ProcessPool

from ct2pet.errors import Ct2PetError
from ct2pet.interruption import held_back
from ct2pet.parallel.guard import REMEDY, UNGUARDED, end_if_unguarded
from ct2pet.parallel.memory import default_processes
from ct2pet.parallel.outcomes import Failure, failure_of, pickled_outcome, unpickled

_SECONDS_BETWEEN_LOOKS = 1.0  # at processes that may have ended without a word


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
            done = wait(running, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done
            for future in done or [one for one, (worker, _) in running.items() if worker.has_ended(one)]:
                worker, case = running.pop(future)
                outcome = worker.outcome(future)
                if one_case_each or not waiting:
                    worker.end()
                free.append(worker)
                yield case, outcome
    finally:
        with ThreadPoolExecutor(len(workers)) as ending:  # each may take seconds
            list(ending.map(_Worker.end, workers))


class _Context(SpawnContext):
    """Remembers the processes that a pool starts, for their exit codes."""

    def __init__(self) -> None:
        self.started: list[BaseProcess] = []

    def Process(self, *arguments: Any, **options: Any) -> BaseProcess:  # type: ignore[override]
        process = SpawnContext.Process(*arguments, **options)
        self.started.append(process)
        return process


class _Worker:
    """A pool of one process. ``place``: arguments that come before those of each case.

    Each process has a pool, and thereby a pipe and locks, of its own: one that dies while it holds a lock, or while it
    sends a result, disturbs no other. Its pool is replaced.
    """

    def __init__(self, function: Callable, place: tuple, num_processes: int) -> None:
        self._function, self._place, self._num_processes = function, place, num_processes
        self._pool: ProcessPool | None = None
        self._context = _Context()

    def begin(self, arguments: tuple) -> Future:
        """Start the case of these ``arguments``."""
        end_if_unguarded()
        with _signals_held_back():
            if self._pool is None:
                self._context = _Context()
                self._pool = ProcessPool(
                    max_workers=1,
                    initializer=_prepare_process,
                    initargs=(self._num_processes,),
                    context=self._context,
                )
            return self._pool.schedule(pickled_outcome, (self._function, (*self._place, *arguments)))

    def outcome(self, future: Future) -> Any:
        """The value of a case that is done, or its Failure. Raises Ct2PetError where the script has no guard."""
        exit_code = self._exit_code()
        error = future.exception() if future.done() else BrokenProcessPool()
        if error is None:
            return unpickled(future.result())
        self.end()
        if exit_code == UNGUARDED:
            raise Ct2PetError(REMEDY)
        if isinstance(error, ProcessExpired):
            return Failure(_cause_of_death(error.exitcode))
        if isinstance(error, BrokenProcessPool):  # the process died before or after its case, or as if it were done
            return Failure(_cause_of_death(exit_code))
        return failure_of(error)

    def has_ended(self, future: Future) -> bool:
        """Whether the process has ended without a word, which pebble notices only where its exit code is not 0."""
        return not future.done() and self._exit_code() == 0

    def _exit_code(self) -> int | None:
        """That of the first process of the pool; None while it lives."""
        return self._context.started[0].exitcode if self._context.started else None

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
