"""Reading and writing of files in threads, while the network predicts another case."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """``read(case)`` of the next ``number`` of ``cases`` (names, in order) in threads; with 0 each is read on request.
    At most ``number`` results that were not taken are in memory."""

    def __init__(self, cases: Sequence[str], read: Callable[[str], T], number: int) -> None:
        self._waiting, self._read, self._number = list(cases)[::-1], read, number
        self._found: dict[str, Future[T]] = {}
        self._threads = ThreadPoolExecutor(max(1, number), "ct2pet-read")

    def take(self, case: str) -> T:
        """The result for a case; an error of reading is raised here."""
        if not self._number:
            return self._read(case)
        self._begin()
        future = self._found.pop(case)
        self._begin()
        return future.result()

    def close(self) -> None:
        """Stop reading, and wait for running reads."""
        self._threads.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        while self._waiting and len(self._found) < self._number:
            case = self._waiting.pop()
            self._found[case] = self._threads.submit(self._read, case)


class WriteBehind:
    """Calls of at most ``number`` cases in threads; with 0 each is executed immediately."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._threads = ThreadPoolExecutor(max(1, number), "ct2pet-write")
        self._pending: dict[str, Future[Any]] = {}

    def give(self, case: str, write: Callable[[], Any]) -> None:
        """Call ``write()`` of a case, in a thread or immediately. Waits while ``number`` others are running."""
        if not self._number:
            write()
            return
        for future in [one for one in self._pending.values() if not one.done()][: -self._number + 1 or None]:
            with contextlib.suppress(Exception):  # raised when the case is requested
                future.result()
        self._pending[case] = self._threads.submit(write)

    @property
    def pending(self) -> Mapping[str, Callable[[], Any]]:
        """By case: a function that waits for the call and raises its error."""
        return {case: future.result for case, future in self._pending.items()}

    def close(self) -> None:
        """Wait for all calls."""
        self._threads.shutdown()
