"""Whether another machine sees the same folders: a file in each that must exist there, too."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from ct2pet.files import writing

SharedFolders = dict[str, str]  # folder: a file in it
_PREFIX = ".ct2pet-shared-"


@contextlib.contextmanager
def witnesses(inputs: Sequence[Path], outputs: Sequence[Path]) -> Iterator[SharedFolders]:
    """Inside the block each folder has a file by which it is known: one of its own for ``inputs``, which are not
    written to, a new hidden one for ``outputs`` (files or folders; of one that does not exist, in the folder above it).
    An empty folder of the same name on another machine (where a file system is not mounted) has neither.

    Raises WriteError where an output folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        found = {str(folder): _entry_of(folder) for folder in inputs}
        folders = [next(one for one in (path, *path.parents) if one.is_dir()) for path in outputs]
        found.update({str(folder): stack.enter_context(_new_file(folder)) for folder in folders})
        yield found


def _entry_of(path: Path) -> str:
    if path.is_dir():
        with os.scandir(path) as entries:
            return next((entry.path for entry in entries), str(path))
    return str(path)


@contextlib.contextmanager
def _new_file(folder: Path) -> Iterator[str]:
    path = folder / f"{_PREFIX}{uuid.uuid4().hex}"
    with writing(folder):
        path.touch()
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)
