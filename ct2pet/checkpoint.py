"""Checkpoints: tensors and plain Python values in one file, written atomically."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ct2pet.errors import CheckpointError
from ct2pet.files import atomic_path, check_readable

FORMAT_VERSION = 1
_PLAIN = (torch.Tensor, str, bytes, int, float, bool, type(None))


def save_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` (tensors, numbers, strings, lists, tuples, dicts) with torch.save, atomically.

    ``format_version`` is added. Raises TypeError, naming the key, for any other object, which could not be loaded, and
    CheckpointError where the file cannot be written (a full disk); the previous file is kept.
    """
    _check_plain(content, "checkpoint")
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            torch.save({**content, "format_version": FORMAT_VERSION}, file)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: cannot be written ({_reason(error)}); the previous file is kept; free disk space, "
            "then continue with --c"
        ) from error


def _reason(error: BaseException) -> str:
    """The error of the operating system, which torch hides behind its own errors."""
    causes = [error]
    while (before := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(before)
    reasons = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return reasons[0] if reasons else str(error).splitlines()[0]


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """The content written by save_checkpoint, with the tensors on the CPU. No code in the file is ever executed.

    Raises CheckpointError, naming the file, where it is missing, damaged, of another program or of another format
    version.
    """
    path = Path(path)
    check_readable(path, CheckpointError)
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not verify the checksums
            damaged = archive.testzip()
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged file fails in many ways: zip, pickle, unicode, key and runtime errors
        content = None
    version = content.get("format_version") if isinstance(content, dict) else None
    if content is None or version is None:
        raise CheckpointError(f"{path}: damaged, or not a checkpoint of ct2pet")
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format_version {version!r} is not supported; this version of ct2pet reads {FORMAT_VERSION}"
        )
    return content


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_plain(key, where)
            _check_plain(item, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif not isinstance(value, _PLAIN) or type(value).__module__ == "numpy":  # numpy.float64 is a float, too
        raise TypeError(f"{where} is a {type(value).__name__}: a checkpoint contains only tensors and plain values")


def moved(content: Any, device: str | torch.device) -> Any:
    """Lists, tuples and dicts as they are, with their tensors on ``device``."""
    if isinstance(content, torch.Tensor):
        return content.to(device)
    if isinstance(content, dict):
        return {key: moved(value, device) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return type(content)(moved(value, device) for value in content)
    return content
