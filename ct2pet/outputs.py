"""Checks of output paths before any work: they can be written, and files of other programs are not replaced."""

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
    of this name. A missing folder is not created: the nearest existing parent folder is tested."""
    folder = Path(folder)
    existing = _existing(folder)
    if not existing.is_dir():
        raise WriteError(
            f"{existing}: is a file, not a folder; choose another folder",
            NotADirectoryError(errno.ENOTDIR, "Not a directory"),
        )
    check_writable(existing)
    if existing != folder:
        _try_name(existing, folder.relative_to(existing).parts[0])


def check_output_file(path: str | os.PathLike) -> None:
    """As ``check_output_folder``, for a file; nothing is changed at ``path`` itself. Raises WriteError where it is a
    folder."""
    path = Path(path)
    if os.path.isdir(path):  # unlike Path.is_dir(), False for names that are too long
        raise WriteError(
            f"{path}: is a folder, not a file; choose a file name", IsADirectoryError(errno.EISDIR, "Is a directory")
        )
    check_output_folder(path.parent)
    _try_name(_existing(path.parent), path.name)


def _existing(path: Path) -> Path:
    """The path, or its nearest parent folder that exists."""
    return next((one for one in (path, *path.parents) if os.path.exists(one)), Path())


def _try_name(folder: Path, name: str) -> None:
    """Raise WriteError where the file system does not allow this name in the folder."""
    with writing(folder / name), tempfile.NamedTemporaryFile(prefix=".partial-", suffix=f"-{name}", dir=folder):
        pass


def check_apart(output: str | os.PathLike, inputs: str | os.PathLike, option: str) -> None:
    """Raise Ct2PetError where the output ``option`` is the folder ``inputs`` or is inside it: the next command would
    read the outputs as inputs. Where ``inputs`` is a file, its folder is checked."""
    folder = Path(inputs).resolve()
    path = Path(output).resolve()
    if folder.is_file():
        inside, folder = path == folder.parent, folder.parent
    else:
        inside = path.is_relative_to(folder)
    if inside:
        raise Ct2PetError(f"{option} {output}: is in the folder of the inputs, {folder}; choose another folder")


def check_replaceable(path: str | os.PathLike, is_ours: Callable[[Path], bool], what: str) -> None:
    """Raise Ct2PetError where a non-empty file at ``path`` is not recognised by ``is_ours``: no command overwrites
    files of other programs. ``what``: the kind of file, with its article ("a report of ct2pet_report")."""
    path = Path(path)
    if path.is_file() and path.stat().st_size > 0 and not is_ours(path):
        raise Ct2PetError(f"{path}: would be replaced, but is not {what}; remove it or choose another output")


def holds_keys(path: Path, keys: Iterable[str]) -> bool:
    """Whether a file holds a JSON object with (at least) these keys."""
    try:
        content = read_json(path)
    except Ct2PetError:
        return False
    return isinstance(content, dict) and {*keys} <= {*content}


def holds_texts(path: Path, *texts: str, within: int = 4096) -> bool:
    """Whether a file holds all of these texts in its first bytes, and starts with the first one."""
    try:
        with path.open("rb") as file:
            beginning = file.read(within)
    except OSError:
        return False
    return beginning.startswith(texts[0].encode()) and all(text.encode() in beginning for text in texts)
