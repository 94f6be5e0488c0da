"""Atomic writing of files and folders, and errors that name the file and the remedy."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ct2pet.errors import Ct2PetError, WriteError
from ct2pet.json_text import JsonError, parse_json

_BLOCK_BYTES = 512  # the smallest unit that a disk writes; a full disk refuses it
_PROBE_BYTES = 2**16
_REMEDIES = {
    errno.ENOSPC: "free disk space or choose another folder",
    errno.EDQUOT: "the user's quota is used up; free disk space or choose another folder",
    errno.EFBIG: "the file size limit is reached (ulimit -f, or the file system); choose another folder",
    errno.EROFS: "the file system is mounted read-only; choose another folder",
    errno.EACCES: "choose another folder, or get write permission",
    errno.EPERM: "choose another folder, or get write permission",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_UMASK_LOCK = threading.Lock()
_ONLY_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder that becomes ``path`` when the block ends without an error.

    A reader of ``path`` sees the old file or the complete new one, even where the process is killed. The temporary name
    starts with a dot and keeps the suffixes (writers derive the format from them); it is unique, so that several
    processes can write the same file: the last one to finish replaces it. ``private``: only the owner may read the
    file.

    Raises WriteError, naming ``path``, where it cannot be written, also where a library inside the block reports a full
    disk as another error. Other errors of the block are not changed.
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with writing(path, temporary):
            yield temporary
            _flush_to_disk(temporary)
            if not private:
                temporary.chmod(0o666 & ~_umask())  # mkstemp creates files that only the owner can read
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder in the same folder that becomes ``path`` when the block ends without an error.

    An existing folder is replaced as a whole; a killed process leaves the old one, the new one, or none. Raises
    WriteError as ``atomic_path``.
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent))
    try:
        with writing(path, temporary):
            yield temporary
            temporary.chmod(0o777 & ~_umask())  # mkdtemp creates folders that only the owner can enter
            remove_folder(path)
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def writing(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Errors of the system inside the block become a WriteError that names ``path`` and the remedy. With ``temporary``,
    which is written first, only errors of writing this file."""
    try:
        yield
    except Ct2PetError:
        raise
    except Exception as error:
        cause = error if temporary is None else _cause_in_writing(error, temporary)
        if not isinstance(cause, OSError):
            raise
        raise _not_written(path, cause) from error


def _not_written(path: Path, cause: OSError) -> WriteError:
    remedy = _REMEDIES.get(cause.errno or 0, "choose another folder")
    return WriteError(f"{path}: cannot be written ({cause.strerror or cause}); {remedy}", cause)


def _cause_in_writing(error: Exception, temporary: Path) -> OSError | None:
    """The system error because of which ``temporary`` could not be written; None where there was another reason."""
    if isinstance(error, OSError):
        named = {Path(name) for name in (error.filename, error.filename2) if isinstance(name, str)}
        own = any(name.is_relative_to(temporary) for name in named)
        return error if own or error.errno in _ONLY_OF_WRITING else None
    return _failure_of_probe(temporary)


def _failure_of_probe(temporary: Path) -> OSError | None:
    """C++ libraries raise a RuntimeError where the disk is full: write more data there to get the system error."""
    try:
        with (temporary / "probe" if temporary.is_dir() else temporary).open("ab") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def remove_folder(path: str | os.PathLike) -> None:
    """Remove a folder with its content, if it exists; of a link only the link. A killed process leaves no partly
    removed folder under this name."""
    path = Path(path)
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        aside = Path(tempfile.mkdtemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent))
        shutil.rmtree(path.replace(aside))


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    with _UMASK_LOCK:  # another thread would read, and leave, the 0
        mask = os.umask(0)
        os.umask(mask)
    return mask


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically. NaN and infinity are refused (they are not JSON)."""
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy_file(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copy the content of a file, atomically."""
    with atomic_path(target) as temporary:
        with reading(source):
            Path(source).open("rb").close()
        shutil.copyfile(source, temporary)


@contextlib.contextmanager
def reading(path: str | os.PathLike, error_class: type[Ct2PetError] = Ct2PetError) -> Iterator[None]:
    """Errors of the system inside the block become an ``error_class`` that names ``path`` and says why it cannot be
    read: no such file, no permission to read, a folder."""
    try:
        yield
    except Ct2PetError:
        raise
    except OSError as error:
        reasons = {
            errno.ENOENT: "no such file",
            errno.EACCES: "no permission to read",
            errno.EPERM: "no permission to read",
            errno.EISDIR: "is a folder, not a file",
        }
        reason = reasons.get(error.errno or 0, f"cannot be read ({error.strerror or error})")
        raise error_class(f"{path}: {reason}") from None


def check_readable(path: str | os.PathLike, error_class: type[Ct2PetError] = Ct2PetError) -> None:
    """Raise ``error_class``, which says why, where a file cannot be opened or a folder cannot be listed."""
    with reading(path, error_class):
        if os.path.isdir(path):
            os.listdir(path)
        else:
            Path(path).open("rb").close()


def read_json(path: str | os.PathLike, error_class: type[Ct2PetError] = Ct2PetError) -> Any:
    """Read a JSON file (UTF-8). Raises ``error_class``, naming the file, where it is missing, not readable, or not
    valid for ``parse_json``."""
    with reading(path, error_class):
        content = Path(path).read_bytes()
    try:
        return parse_json(content)
    except JsonError as error:
        raise error_class(f"{path}: {error}") from None


def check_writable(folder: str | os.PathLike) -> None:
    """Create ``folder`` where it is missing. Raises WriteError, naming it, where no file can be written into it:
    missing rights, a full disk, a file of this name."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=Path(folder)) as file:
            file.write(bytes(_BLOCK_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "choose another folder")
        raise WriteError(f"{folder}: not writable ({error.strerror}); {remedy}", error) from None


def remove_partial_files(folder: str | os.PathLike) -> None:
    """Remove the temporary files of killed processes in ``folder`` (not in its subfolders)."""
    for leftover in Path(folder).glob(".partial-*"):
        _remove_leftover(leftover)


def remove_partial_files_of(path: Path) -> None:
    """Remove the temporary files of killed processes for ``path`` only: other files of the folder may be in use."""
    for leftover in path.parent.glob(f".partial-????????-{glob.escape(path.name)}"):
        _remove_leftover(leftover)


def _remove_leftover(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
