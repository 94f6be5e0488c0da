"""Checks of the outputs that a user names, made before any work: they can be written and replace nothing foreign."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ct2pet.errors import Ct2PetError, WriteError
from ct2pet.files import check_writable, read_json, writing


def check_file_writable(path: str | os.PathLike) -> None:
    """As ``check_writable``, for a file: its folder is made, and nothing is changed at ``path`` itself. Raises
    WriteError where ``path`` is a folder."""
    path = Path(path)
    if path.is_dir():
        raise WriteError(f"{path}: is a folder; name a file", IsADirectoryError(errno.EISDIR, "Is a directory"))
    check_writable(path.parent)
    with writing(path), tempfile.NamedTemporaryFile(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent):
        pass  # the name is not too long


def check_replaceable(path: str | os.PathLike, is_ours: Callable[[Path], bool], what: str) -> None:
    """Raise Ct2PetError where a file is at ``path`` that ``is_ours`` does not recognise: no command overwrites what
    something else wrote. ``what``: the kind of file, with its article ("a summary of ct2pet_evaluate")."""
    path = Path(path)
    if path.is_file() and not is_ours(path):
        raise Ct2PetError(f"{path}: would be replaced, but is not {what}; remove it or choose another name")


def holds_keys(path: Path, keys: Iterable[str]) -> bool:
    """Whether a file holds a JSON object with (at least) these keys."""
    try:
        content = read_json(path)
    except Ct2PetError:
        return False
    return isinstance(content, dict) and {*keys} <= {*content}


def begins_with(path: Path, text: str) -> bool:
    """Whether a file begins with this text."""
    try:
        with path.open("rb") as file:
            return file.read(len(text.encode())) == text.encode()
    except OSError:
        return False
