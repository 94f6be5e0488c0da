"""One process at a time in a folder: a second training of one fold, or a second prediction into one folder, is refused.

The lock is a lock of the operating system (flock, by the library filelock): it ends with the process that holds it,
also where that is killed, so that no lock of a dead process remains on a local disk.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from ct2pet.errors import Ct2PetError, WriteError
from ct2pet.files import read_json, remove_partial_files_of, write_json, writing

LOCK_FILE = ".ct2pet-lock"
OWNER_FILE = ".ct2pet-lock.json"  # the number of the process that holds the lock, and since when; no name of a machine
_PATIENCE = 0.5  # seconds in which a process that is just ending may release the lock
_SAME_START = 2.0  # seconds by which two statements of the start of one process may differ


@contextlib.contextmanager
def folder_lock(folder: str | os.PathLike, what: str) -> Iterator[None]:
    """Inside the block no other process enters such a block for ``folder``, which is created where it is missing.

    ``what`` is done in the folder, for the message of the other process: "a training". Raises Ct2PetError at once
    where another process, or another block of this one, holds the lock; the message names the process and the remedy.
    Where the file system has no locks, a line on standard error says so, and the block is entered.
    """
    folder = Path(folder)
    path = folder / LOCK_FILE
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=_PATIENCE, fallback_to_soft=False)  # soft ones name the machine in the file
    if not _acquired(lock, folder):
        yield
        return
    try:
        remove_partial_files_of(folder / OWNER_FILE)
        write_json(folder / OWNER_FILE, {"process": os.getpid(), "since": _start(os.getpid()), "what": what})
        yield
    finally:
        for name in (OWNER_FILE, LOCK_FILE):  # before the lock is released: afterwards they may be another process's
            with contextlib.suppress(OSError):
                (folder / name).unlink()
        lock.release()


def _acquired(lock: FileLock, folder: Path) -> bool:
    """Whether this process holds the lock; False where the file system has no locks. Raises Ct2PetError where another
    process holds it."""
    try:
        lock.acquire()
    except Timeout:
        raise Ct2PetError(_refusal(folder)) from None
    except PermissionError as error:
        path = folder / LOCK_FILE
        raise WriteError(f"{path}: no permission to write; remove this file, or choose another folder", error) from None
    except OSError as error:
        reason = error.strerror or error
        print(
            f"{folder}: the file system has no locks ({reason}); run one command at a time in this folder",
            file=sys.stderr,
        )
        return False
    return True


def _refusal(folder: Path) -> str:
    try:
        owner = read_json(folder / OWNER_FILE)
        number, since, what = int(owner["process"]), float(owner["since"]), str(owner["what"])
    except (Ct2PetError, KeyError, TypeError, ValueError):  # the process has just started or just ended
        return f"{folder}: another process is using this folder; wait until it has ended, or choose another folder"
    begun = datetime.datetime.fromtimestamp(since).strftime("%Y-%m-%d %H:%M")
    wait = "wait until it has ended, or choose another folder"
    if abs(_start(number) - since) < _SAME_START:
        return f"{folder}: process {number} uses this folder since {begun} ({what}); {wait}"
    return (
        f"{folder}: process {number} of another machine or container uses this folder since {begun} ({what}); "
        f"{wait}. If it has ended and its file server keeps the lock, remove {folder / LOCK_FILE}"
    )


def _start(number: int) -> float:
    """When a process of this machine was started (seconds since 1970), 0 where no such process exists."""
    try:
        return psutil.Process(number).create_time()
    except psutil.Error:
        return 0.0
