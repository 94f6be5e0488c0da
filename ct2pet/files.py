"""Files that are whole or not there at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ct2pet.errors import Ct2PetError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that becomes ``path`` when the block ends without an error.

    Whoever reads ``path`` sees the old file or the whole new one, however the process ends. The temporary name
    starts with a dot and keeps the suffixes (writers choose the format by them); it is unique, so that several
    processes may write the same file and the last one wins. ``private``: only the owner may read the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        _flush_to_disk(temporary)
        if not private:
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only the owner can read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder beside ``path`` that becomes ``path`` when the block ends without an error.

    A folder that is there is replaced as a whole; whoever is killed leaves the old one, the new one, or none.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())  # mkdtemp makes folders that only the owner can enter
        remove_folder(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: str | os.PathLike) -> None:
    """Remove a folder and all in it, if it is there; whoever is killed leaves no half of it under its name."""
    path = Path(path)
    if path.exists():
        aside = Path(tempfile.mkdtemp(prefix=".partial-", suffix=f"-{path.name}", dir=path.parent))
        shutil.rmtree(path.replace(aside))


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
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
        shutil.copyfile(source, temporary)


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file. Raises Ct2PetError, naming the file, where it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Ct2PetError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Ct2PetError(f"{path}: cannot be read as JSON ({error})") from None


def check_writable(folder: str | os.PathLike) -> None:
    """Make ``folder`` where it is missing. Raises Ct2PetError where no file can be written into it."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=Path(folder)):
            pass
    except OSError as error:
        raise Ct2PetError(f"{folder}: nothing can be written there ({error.strerror}); choose another folder") from None


def remove_partial_files(folder: str | os.PathLike) -> None:
    """Remove what killed processes left half-written in ``folder`` (not in its subfolders)."""
    for leftover in Path(folder).glob(".partial-*"):
        leftover.unlink(missing_ok=True)
