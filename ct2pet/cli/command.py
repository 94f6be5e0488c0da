"""Shared by all commands: strict arguments, one-line errors, exit codes."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from ct2pet import __version__
from ct2pet.console import NO_PROGRESS, wrapped
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.interruption import EndedBySignal, run_until_signal
from ct2pet.provenance import command_line
from ct2pet.suggestions import did_you_mean

DONE, SOME_FAILED, NOTHING_DONE, INTERRUPTED = 0, 1, 2, 130
_VERBOSE = "--verbose"
_NO_PROGRESS_BAR = ("--no_pbar", "--disable_progress_bar")  # in nnU-Net one of them in each command
_HIDDEN = "no_pbar"
Main = Callable[[Sequence[str] | None], int]


class _StrictParser(argparse.ArgumentParser):
    """Refuses abbreviated options, also those with one dash, which ``allow_abbrev=False`` accepts. An error is one
    line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(NOTHING_DONE, f"{self.prog}: {message}{self._hint(message)} (--help lists the options)\n")

    def _hint(self, message: str) -> str:
        """The most similar known option where an option is unknown."""
        _, unrecognized, words = message.partition("unrecognized arguments: ")
        unknown = next((word for word in words.split() if word.startswith("-")), None)
        if not unrecognized or unknown is None:
            return ""
        return did_you_mean(unknown.partition("=")[0], self._option_string_actions)

    def _get_option_tuples(self, option_string: str) -> list:
        return []


def command(
    name: str,
    description: str,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    execute: Callable[[argparse.Namespace], None],
) -> Main:
    """The ``main`` function of a console script. It returns the exit code.

    0: done. 1: some cases failed (each is named). 2: nothing was done. 130: interrupted. 128 + the signal's number:
    ended by SIGTERM or SIGUSR1 of a cluster. A traceback appears only with --verbose.
    """

    def main(arguments: Sequence[str] | None = None) -> int:
        words = sys.argv[1:] if arguments is None else arguments
        _print_any_text()

        def work() -> None:
            parsed = _parsed(name, description, add_arguments, words)
            hidden = vars(parsed).pop(_HIDDEN)
            with command_line(name, words), _without_progress(hidden):
                execute(parsed)

        try:
            run_until_signal(work)
        except BaseException as error:
            return _report(error, name, _VERBOSE in words)
        return DONE

    return main


def _print_any_text() -> None:
    """Characters that the encoding of standard output does not have (other than UTF-8: some locales, and files on
    Windows) become a question mark, where they would end a command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _parsed(
    name: str, description: str, add_arguments: Callable[[argparse.ArgumentParser], None], words: Sequence[str]
) -> argparse.Namespace:
    parser = _StrictParser(
        prog=name,
        description=_fitted(description),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser)
    parser.add_argument(
        _VERBOSE, action="store_true", help="show more: the traceback of an error, the metrics of every organ"
    )
    parser.add_argument(*_NO_PROGRESS_BAR, dest=_HIDDEN, action="store_true", help="show no progress bar")
    parser.add_argument("--version", action="version", version=f"ct2pet {__version__}")
    return parser.parse_args(words)


def _fitted(description: str) -> str:
    """The description with the lines of each paragraph broken for the terminal; lines of examples are kept."""
    joined = re.sub(r"^(?!Example)(\S.*)\n(?=\S)(?!Example)", r"\1 ", description, flags=re.MULTILINE)
    return wrapped(joined, shutil.get_terminal_size().columns)


@contextlib.contextmanager
def _without_progress(hidden: bool) -> Iterator[None]:
    """Inside the block no progress is shown where ``hidden``; this includes processes started there."""
    if not hidden:
        yield
        return
    before = os.environ.get(NO_PROGRESS)
    os.environ[NO_PROGRESS] = "1"
    try:
        yield
    finally:
        os.environ.pop(NO_PROGRESS)
        if before is not None:
            os.environ[NO_PROGRESS] = before


def _report(error: BaseException, name: str, verbose: bool) -> int:
    if isinstance(error, SystemExit):
        raise error
    if verbose:
        traceback.print_exception(error)
        for case, text in getattr(error, "tracebacks", {}).items():
            print(f"{case}: {text}", file=sys.stderr)
    if isinstance(error, KeyboardInterrupt):
        print(f"{name}: interrupted; what is finished stays", file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, EndedBySignal):
        print(f"{name}: ended by {signal.Signals(error.number).name}; what is finished stays", file=sys.stderr)
        return 128 + error.number
    if isinstance(error, Ct2PetError):
        print(f"{name}: {error}", file=sys.stderr)
        return SOME_FAILED if isinstance(error, CasesFailed) and error.some_done else NOTHING_DONE
    print(f"{name}: {_message_of(error, verbose)}", file=sys.stderr)
    return NOTHING_DONE


def _message_of(error: BaseException, verbose: bool) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory; close other programs or use fewer processes (-np)"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error}{'' if verbose else ' (--verbose shows where)'}"
