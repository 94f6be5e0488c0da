"""Signals that end a command: Ctrl-C (SIGINT), and SIGTERM and SIGUSR1, which clusters send before a job's time limit.

A signal handler that raises once is not enough. Python prints and drops an exception that is raised inside a finalizer
(``__del__``), a callback of a weak reference or another callback of C code, and some libraries catch all exceptions;
the work then continues. Here the exception is raised again until it has reached ``run_until_signal``.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_SECONDS_BETWEEN = 0.02  # until the exception is raised again where it was dropped
_SECONDS_TO_CLEAN_UP = 0.5  # until the next check where a block was cleaning up
_held_back = 0  # number of ``held_back`` blocks around the current code of the main thread
_LONGEST_CHAIN = 1000  # of exceptions, each raised while another was handled


class EndedBySignal(BaseException):
    """SIGTERM or SIGUSR1 arrived. Like KeyboardInterrupt it passes ``except Exception``; ``number``: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_INTERRUPTIONS = (KeyboardInterrupt, EndedBySignal)


def run_until_signal(work: Callable[[], None]) -> None:
    """Call ``work()``. SIGINT raises KeyboardInterrupt in it, SIGTERM and SIGUSR1 raise EndedBySignal, so that clean-up
    blocks run; the exception is raised again where it was dropped, but not while a block cleans up. This function
    always raises the exception, also where ``work`` replaced it by another one or returned.

    A second Ctrl-C also interrupts the clean-up; a second SIGTERM or SIGUSR1 does not.

    The handlers are those of the main thread. In another thread, and in processes of torchrun, which may wait for each
    other inside C code where no Python handler runs, the handling of signals is not changed.
    """
    if threading.current_thread() is not threading.main_thread() or "TORCHELASTIC_RUN_ID" in os.environ:
        work()
        return
    delivery = _Delivery()
    failure: BaseException | None = None
    try:
        delivery.start()
        work()
    except BaseException as error:
        delivery.finished = True  # CPython runs no handler before this line: it contains no call
        failure = error
    delivery.finished = True
    delivery.stop()
    if delivery.number is not None and not isinstance(failure, _INTERRUPTIONS):
        failure = _exception(delivery.number, failure)
    if failure is not None:
        raise failure


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Inside the block, which must be short, a signal raises nothing; its exception is raised after it."""
    global _held_back
    _held_back += 1
    try:
        yield
    finally:
        _held_back -= 1


def _exception(number: int, cause: BaseException | None = None) -> BaseException:
    error = KeyboardInterrupt() if number == signal.SIGINT else EndedBySignal(number)
    error.__cause__ = cause
    return error


class _Delivery:
    """Handlers that raise, and a thread that sends the signal again until ``finished``.

    ``number``: the signal that arrived last, None before. The handlers run in the main thread between two bytecode
    instructions; the exceptions being handled show whether this exception is still propagating: a clean-up block
    (``finally``, ``except``, ``__exit__``) handles it, and a dropped exception is not among them.
    """

    def __init__(self) -> None:
        self.finished = False
        self.number: int | None = None
        self._sent_again = False
        self._pause = _SECONDS_BETWEEN
        self._arrived: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # whose put() may be used in a handler
        self._thread = threading.Thread(target=self._send_again, daemon=True)
        self._handlers: dict[int, Any] = {}
        self._unraisable = sys.unraisablehook

    def start(self) -> None:
        self._thread.start()
        sys.unraisablehook = self._without_own
        for number in _ending_signals():
            self._handlers[number] = signal.getsignal(number)
            signal.signal(number, self._handle)

    def stop(self) -> None:
        """Undo all changes of ``start``. ``finished`` must be set: the handlers no longer raise."""
        if self._thread.is_alive():
            self._arrived.put(None)
            self._thread.join()
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: of C code
        sys.unraisablehook = self._unraisable

    def _handle(self, number: int, frame: object) -> None:
        sent_again, self._sent_again = self._sent_again, False
        if self.finished:
            return
        if not sent_again:
            self.number = number
            self._arrived.put(number)
        if _held_back:
            return
        cleaning_up = self._is_propagating()
        self._pause = _SECONDS_TO_CLEAN_UP if cleaning_up else _SECONDS_BETWEEN
        if cleaning_up and (sent_again or number != signal.SIGINT):
            return
        raise _exception(number)

    @staticmethod
    def _is_propagating() -> bool:
        handled = sys.exc_info()[1]
        for _ in range(_LONGEST_CHAIN):
            if handled is None or isinstance(handled, _INTERRUPTIONS):
                break
            handled = handled.__context__
        return isinstance(handled, _INTERRUPTIONS)

    def _send_again(self) -> None:
        number = self._arrived.get()
        while number is not None:
            last = number
            try:
                number = self._arrived.get(timeout=self._pause)
            except queue.Empty:
                self._sent_again = True
                _send_to_main_thread(last)

    def _without_own(self, unraisable: Any) -> None:
        """Suppress the traceback that Python prints when it drops the exception."""
        if not isinstance(unraisable.exc_value, _INTERRUPTIONS):
            self._unraisable(unraisable)


@contextlib.contextmanager
def interrupt_handler_kept() -> Iterator[None]:
    """The handler of SIGINT that code inside the block sets (an import, say) is replaced by the former one after the
    block. For the main thread; others cannot set handlers."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)  # None: of C code


def _ending_signals() -> list[int]:
    """SIGINT is not handled where it is ignored (a background job) or where the caller has its own handler."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    own = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    return numbers if own else [signal.SIGINT, *numbers]


def _send_to_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)  # also ends a system call that waits
    else:
        signal.raise_signal(number)  # Windows
