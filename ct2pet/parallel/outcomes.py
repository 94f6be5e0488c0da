"""What becomes of a case: its value, or the reason why it failed."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ct2pet.errors import CasesFailed, Ct2PetError


@dataclass
class CaseResults:
    """What ``map_cases`` returns: ``values`` of the cases that are done, one-line ``failures`` of the others, and
    the ``tracebacks`` of those failures that are not a user's (for --verbose)."""

    values: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    tracebacks: dict[str, str] = field(default_factory=dict)

    def record(self, case: str, outcome: Any) -> None:
        """Add the value of a case, or its Failure."""
        if not isinstance(outcome, Failure):
            self.values[case] = outcome
            return
        self.failures[case] = outcome.reason
        if outcome.traceback:
            self.tracebacks[case] = outcome.traceback

    def raise_failures(self, what: str, *, some_done: bool = False, noun: str = "case") -> None:
        """Raise CasesFailed, naming them, where cases failed. ``some_done``: whether others are done, besides those of
        ``values``."""
        if self.failures:
            done = some_done or bool(self.values)
            raise CasesFailed(self.failures, some_done=done, what=what, tracebacks=self.tracebacks, noun=noun)


@dataclass(frozen=True)
class Failure:
    """Why a case failed, in one line, and the traceback where the error is not a user's."""

    reason: str
    traceback: str | None = None


def outcome_of(function: Callable, arguments: tuple) -> Any:
    """``function(*arguments)``, or the Failure that its exception is."""
    try:
        return function(*arguments)
    except Ct2PetError as error:
        return Failure(str(error))
    except MemoryError:
        return Failure("not enough memory (try fewer processes at a time)", traceback.format_exc())
    except Exception as error:
        return failure_of(error)


def failure_of(error: BaseException) -> Failure:
    """The Failure of an exception that is not a user's."""
    told = "".join(traceback.format_exception(error))
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return Failure(f"{error.filename}: {error.strerror}", told)
    return Failure(f"{type(error).__name__}: {error}", told)


def pickled_outcome(function: Callable, arguments: tuple) -> bytes | Failure:
    """In another process: the value as bytes, or the Failure; a value that cannot be sent is one, too."""
    return outcome_of(_pickled, (function, arguments))


def unpickled(outcome: bytes | Failure) -> Any:
    """The outcome that ``pickled_outcome`` returned in another process."""
    return outcome if isinstance(outcome, Failure) else pickle.loads(outcome)


def _pickled(function: Callable, arguments: tuple) -> bytes:
    return pickle.dumps(function(*arguments), pickle.HIGHEST_PROTOCOL)
