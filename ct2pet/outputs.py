"""Checks of the outputs that a user names, made before any work: they can be written and replace nothing foreign."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ct2pet.errors import Ct2PetError, WriteError
from ct2pet.files import check_writable, read_json, writing


def check_output_folder(folder: str | os.PathLike) -> None:
    """Raise WriteError, naming it, where no file could be written into ``folder``: missing rights, a full disk, a file
    of this name. It is not made: where it is missing, the folder in which it would be made is tried."""
    folder = Path(folder)
    existing = _existing(folder)
    if not existing.is_dir():
        raise WriteError(f"{existing}: is a file; name a folder", NotADirectoryError(errno.ENOTDIR, "Not a directory"))
    check_writable(existing)
    if existing != folder:
        _try_name(existing, folder.relative_to(existing).parts[0])


def check_output_file(path: str | os.PathLike) -> None:
    """As ``check_output_folder``, for a file; nothing is changed at ``path`` itself. Raises WriteError where it is a
    folder."""
    path = Path(path)
    if os.path.isdir(path):  # unlike Path.is_dir(), False for names that are too long
        raise WriteError(f"{path}: is a folder; name a file", IsADirectoryError(errno.EISDIR, "Is a directory"))
    check_output_folder(path.parent)
    _try_name(_existing(path.parent), path.name)


def _existing(path: Path) -> Path:
    """The path, or the last folder above it that exists."""
    return next((one for one in (path, *path.parents) if os.path.exists(one)), Path())


def _try_name(folder: Path, name: str) -> None:
    """Raise WriteError where the system allows no such name in a folder."""
    with writing(folder / name), tempfile.NamedTemporaryFile(prefix=".partial-", suffix=f"-{name}", dir=folder):
        pass


def check_apart(output: str | os.PathLike, inputs: str | os.PathLike, option: str) -> None:
    """Raise Ct2PetError where the output ``option`` is the folder ``inputs`` or lies inside it: what is written there
    would be taken for an input by the next command. Where ``inputs`` is a file, the folder that it lies in is meant."""
    folder = Path(inputs).resolve()
    path = Path(output).resolve()
    if folder.is_file():
        inside, folder = path == folder.parent, folder.parent
    else:
        inside = path.is_relative_to(folder)
    if inside:
        raise Ct2PetError(f"{option} {output}: lies in the folder of the inputs, {folder}; choose another folder")


def check_replaceable(path: str | os.PathLike, is_ours: Callable[[Path], bool], what: str) -> None:
    """Raise Ct2PetError where a file with content is at ``path`` that ``is_ours`` does not recognise: no command
    overwrites what something else wrote. ``what``: the kind of file, with its article ("a report of ct2pet_report")."""
    path = Path(path)
    if path.is_file() and path.stat().st_size > 0 and not is_ours(path):
        raise Ct2PetError(f"{path}: would be replaced, but is not {what}; remove it or choose another name")


def holds_keys(path: Path, keys: Iterable[str]) -> bool:
    """Whether a file holds a JSON object with (at least) these keys."""
    try:
        content = read_json(path)
    except Ct2PetError:
        return False
    return isinstance(content, dict) and {*keys} <= {*content}


def holds_texts(path: Path, *texts: str, within: int = 4096) -> bool:
    """Whether a file holds all of these texts among its first bytes; the first one at its very beginning."""
    try:
        with path.open("rb") as file:
            beginning = file.read(within)
    except OSError:
        return False
    return beginning.startswith(texts[0].encode()) and all(text.encode() in beginning for text in texts)
