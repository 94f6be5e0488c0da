"""Cases on the machines of a Dask cluster (``pip install ct2pet[dask]``).

Dask schedules, moves cases from workers that died to others, and lets workers join at any time. What is added here: the
workers must have this version of ct2pet and see the same folders, and one case at a time is computed in each.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import pickle
import queue
import sys
import threading
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ct2pet import __version__
from ct2pet.errors import ClusterError
from ct2pet.interruption import interrupt_handler_kept
from ct2pet.parallel.outcomes import Failure, failure_of, pickled_outcome, unpickled
from ct2pet.parallel.shared_folders import SharedFolders, witnesses

if TYPE_CHECKING:
    from distributed import Client, Future

_SECONDS_TO_ANSWER = 10
_SECONDS_BETWEEN_CHECKS = 30.0  # whether jobs without a worker are still in their queue
_one_case = threading.Lock()  # of a worker with several threads: not all that computes a case may run in two of them
_current: contextvars.ContextVar[Cluster | None] = contextvars.ContextVar("cluster", default=None)


def current_cluster() -> Cluster | None:
    """The cluster of the ``on_cluster`` block that this is executed in, None outside of one."""
    return _current.get()


@contextlib.contextmanager
def on_cluster(
    address: str | Any,
    *,
    inputs: Sequence[Path] = (),
    outputs: Sequence[Path] = (),
    check_jobs: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Inside the block ``map_cases`` computes on the workers of a Dask cluster.

    ``address``: that of its scheduler (tcp://HOST:8786), or a cluster object of Dask. ``inputs`` and ``outputs``:
    folders that every worker must see under the same path. ``check_jobs``: where workers are jobs in a queue; waits for
    the first one. It is called every 30 s while there is no worker, and raises ClusterError where none will join.
    Prints how many workers there are and where the dashboard is; workers that cannot be used are named and left out.
    Raises ClusterError where Dask is not installed, no scheduler answers, or no worker can be used.
    """
    imported("distributed")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its tracebacks; what matters is said here
    client = _client(address)
    with client, witnesses(inputs, outputs) as folders:
        cluster = Cluster(client, folders, check_jobs)
        cluster.wait_for_first_job()
        cluster.check()
        token = _current.set(cluster)
        try:
            yield
        finally:
            _current.reset(token)


def _client(address: str | Any) -> Client:
    from ct2pet.parallel.client import connected

    try:
        return connected(address, _SECONDS_TO_ANSWER)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"{address}: no Dask scheduler answers there ({_first_line(error)}); start one with 'dask scheduler' and "
            "give its address, tcp://HOST:8786"
        ) from None


def imported(name: str) -> Any:
    """The module ``name`` of the extra ct2pet[dask]. Raises ClusterError where it is not installed."""
    try:
        with interrupt_handler_kept():  # dask_jobqueue replaces it
            return __import__(name)
    except ImportError:
        raise ClusterError(f"{name} is not installed: pip install 'ct2pet[dask]'") from None


@dataclass(frozen=True)
class _Unfit:
    """Why a worker cannot be used; its address."""

    worker: str
    reason: str


class _Call:
    """A call of ``_on_worker``, which takes place when it is unpickled: the scheduler reads tasks, too, but needs no
    ct2pet for the call of a function of Python's own."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __reduce__(self) -> tuple:
        return _on_worker, self._arguments


_UNFIT = object()  # the outcome of a case that must be computed by another worker
_KILLED = object()  # that of a case with which workers died more often than the scheduler allows
_OUT_OF_MEMORY = Failure("its workers died, one after another (probably out of memory: give each more of it)")


class Cluster:
    """The workers of a Dask scheduler. ``folders``: what each of them must see. ``check_jobs``: see on_cluster."""

    def __init__(self, client: Client, folders: SharedFolders, check_jobs: Callable[[], None] | None = None) -> None:
        self._client, self._folders, self._check_jobs = client, folders, check_jobs
        self._unfit: dict[str, str] = {}

    def wait_for_first_job(self) -> None:
        """Until there is a worker, if workers are jobs. Raises ClusterError where all have ended without one."""
        if self._check_jobs is not None:
            print("Dask: waiting for the first worker", file=sys.stderr)
        while self._check_jobs is not None:
            try:
                return self._client.wait_for_workers(1, timeout=_SECONDS_BETWEEN_CHECKS)
            except TimeoutError:
                self._check_jobs()

    def check(self) -> None:
        """Print what the cluster has, and name workers that cannot be used. Raises ClusterError where all are such."""
        workers = self._workers()
        num_workers = f"{len(workers)} worker(s)" if workers else "no worker yet; cases wait until one joins"
        print(f"Dask: {num_workers}; dashboard {self._client.dashboard_link}", file=sys.stderr)
        self._find_unfit()
        self._fit_workers()
        threads = {address for address, facts in workers.items() if facts["nthreads"] > 1}
        if threads - {*self._unfit}:
            print(
                f"warning: {len(threads)} worker(s) have several threads, but compute one case at a time: start "
                "several with --nthreads 1",
                file=sys.stderr,
            )

    def outcomes(self, function: Callable, cases: Mapping[str, tuple]) -> Generator[tuple[str, Any], None, None]:
        """``function(*arguments)`` for every case of ``{case: arguments}``; every case with its value or Failure, as
        they are done.

        Where workers died again and again with a case, others that waited there may be innocent: such cases are
        computed once more at the end, one at a time. Raises ClusterError where the scheduler is lost, no worker that
        can be used is left, or all jobs have ended.
        """
        suspects = []
        for case, outcome in self._outcomes(function, cases):
            if outcome is _KILLED:
                suspects.append(case)
            else:
                yield case, outcome
        for suspect in suspects:
            for case, outcome in self._outcomes(function, {suspect: cases[suspect]}):
                yield case, _OUT_OF_MEMORY if outcome is _KILLED else outcome

    def _outcomes(self, function: Callable, cases: Mapping[str, tuple]) -> Generator[tuple[str, Any], None, None]:
        """As ``outcomes``, with _KILLED where workers died."""
        running: dict[Any, tuple[str, Future]] = {}
        completed: queue.SimpleQueue[Future] = queue.SimpleQueue()
        moved: set[str] = set()  # to workers that can be used

        def submit(case: str, workers: Sequence[str] | None = None) -> None:
            future = self._submit(case, function, cases[case], workers)
            running[future.key] = (case, future)
            future.add_done_callback(completed.put)

        try:
            for case in cases:
                submit(case)
            while running:
                future = self._next(completed)
                case, _ = running.pop(future.key)
                outcome = self._outcome(future, moved=case in moved)
                future.release()
                if outcome is _UNFIT:
                    moved.add(case)
                    submit(case, self._fit_workers())
                else:
                    yield case, outcome
        finally:
            if running:  # the scheduler notifies all its clients of it
                with contextlib.suppress(Exception):  # the scheduler may be gone
                    self._client.cancel([future for _, future in running.values()], force=True)

    def _next(self, completed: queue.SimpleQueue[Future]) -> Future:
        """The next case that is done. Raises ClusterError where there is no worker and all jobs have ended."""
        while True:
            try:
                return completed.get(timeout=_SECONDS_BETWEEN_CHECKS)
            except queue.Empty:
                if self._check_jobs is not None and not self._workers():
                    self._check_jobs()

    def _submit(self, case: str, function: Callable, arguments: tuple, workers: Sequence[str] | None) -> Future:
        call = pickle.dumps(_Call(function, arguments, __version__, self._folders))
        return self._client.submit(
            pickle.loads,
            call,
            key=f"{case}-{uuid.uuid4().hex}",
            workers=workers,
            pure=False,
        )

    def _outcome(self, future: Future, moved: bool) -> Any:
        """The value of a case, its Failure, _UNFIT where its worker cannot be used, or _KILLED where workers died."""
        from distributed import KilledWorker

        try:
            error = future.exception()
            outcome: Any = future.result() if error is None else None
        except (OSError, CancelledError):
            raise ClusterError(
                "the Dask scheduler is lost; what is finished stays: start the scheduler and this command again"
            ) from None
        if isinstance(outcome, _Unfit):
            self._leave_out(outcome.worker, outcome.reason)
            return _UNFIT
        if error is None:
            return unpickled(outcome)
        if isinstance(error, KilledWorker):
            return _KILLED
        self._find_unfit()  # a worker with another version may not even read its task
        return _UNFIT if self._unfit and not moved else failure_of(error)

    def _workers(self) -> dict[str, Any]:
        return self._client.scheduler_info(n_workers=-1)["workers"]

    def _find_unfit(self) -> None:
        versions: Any = self._client.get_versions(packages=["ct2pet"])
        found = versions["workers"]
        for worker, facts in found.items():
            reason = _wrong_version(facts["packages"].get("ct2pet"))
            if reason:
                self._leave_out(worker, reason)
        for folder, path in self._folders.items():
            for worker, exists in self._client.run(os.path.exists, path, on_error="ignore").items():
                if not exists:
                    self._leave_out(worker, _not_shared(folder))

    def _leave_out(self, worker: str, reason: str) -> None:
        if worker not in self._unfit:
            self._unfit[worker] = reason
            print(f"warning: Dask worker {worker} is left out: {reason}", file=sys.stderr)

    def _fit_workers(self) -> list[str] | None:
        """The workers that can be used, None where that is all. Raises ClusterError where all that there are cannot."""
        workers = [*self._workers()]
        fit = [worker for worker in workers if worker not in self._unfit]
        if workers and not fit:
            raise ClusterError(f"no Dask worker can be used ({next(iter(self._unfit.values()))}); finished cases stay")
        return fit if self._unfit else None


def _on_worker(function: Callable, arguments: tuple, version: str, folders: SharedFolders) -> Any:
    """One case, in a worker: the outcome as ``pickled_outcome`` gives it, or why this worker cannot be used."""
    from distributed import get_worker

    with _one_case:
        missing = [folder for folder, path in folders.items() if not os.path.exists(path)]
        reason = _wrong_version(__version__, version) or (_not_shared(missing[0]) if missing else None)
        return _Unfit(get_worker().address, reason) if reason else pickled_outcome(function, arguments)


def _wrong_version(found: str | None, wanted: str = __version__) -> str | None:
    if found == wanted:
        return None
    what = "has no ct2pet" if found is None else f"has ct2pet {found}"
    return f"it {what}, this command is {wanted}; install the same version there"


def _not_shared(folder: str) -> str:
    return f"it does not see {folder}; mount that folder there under the same path"


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
