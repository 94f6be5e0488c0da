"""All commands as one program: ``ct2pet COMMAND ...`` is ``ct2pet_COMMAND ...``; also ``python -m ct2pet COMMAND``."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ct2pet import __version__
from ct2pet.suggestions import did_you_mean

_OF_A_COMMAND = "\nmain = command("  # marks a command among the modules of ct2pet.cli
_NOTHING_DONE = 2
_COLUMN = 32  # where the sentences of the commands begin


def commands() -> list[str]:
    """The names of all commands, without ct2pet_."""
    return sorted(path.stem for path in _folder().glob("[!_]*.py") if _OF_A_COMMAND in path.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Without one, or with --help, the commands are listed."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        _show(_help())
        return 0 if words else _NOTHING_DONE
    if words[0] == "--version":
        print(f"ct2pet {__version__}")
        return 0
    name = words[0].replace("-", "_").removeprefix("ct2pet_")
    known = commands()
    if name not in known:
        print(
            f"ct2pet: unknown command {words[0]}{did_you_mean(name, known)} (ct2pet --help lists them)", file=sys.stderr
        )
        return _NOTHING_DONE
    return importlib.import_module(f"ct2pet.cli.{name}").main(words[1:])


def _show(text: str) -> None:
    """Print; also where the program that reads it has ended before, such as ``head``."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end of Python


def _help() -> str:
    width = shutil.get_terminal_size().columns
    lines = [
        textwrap.fill(
            f"  {name}".ljust(_COLUMN) + _first_sentence(name), max(width, 2 * _COLUMN), subsequent_indent=" " * _COLUMN
        )
        for name in commands()
    ]
    return "\n".join(
        ["usage: ct2pet COMMAND ...    ct2pet COMMAND --help    ct2pet --version", "", "commands:", *lines]
    )


def _first_sentence(name: str) -> str:
    """The first sentence of a command's docstring, without importing the command."""
    text = ast.get_docstring(ast.parse((_folder() / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def _folder() -> Path:
    spec = find_spec("ct2pet.cli")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


if __name__ == "__main__":
    sys.exit(main())
