"""The files of commands, without what differs between two runs of the same work: dates, seconds, commands."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

_VOLATILE = {"key", "runs", "run", "command", "date", "seconds", "versions", "commit", "trained", "checkpoints_sha256"}
_IGNORED = (".png", ".html", ".lock")


def digests(root: Path, patterns: Iterable[str]) -> dict[str, str]:
    """The digest of each file below ``root`` that one of the patterns names."""
    paths = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    wanted = [
        path for path in sorted(paths) if not path.name.startswith((".", "events.")) and path.suffix not in _IGNORED
    ]
    return {path.relative_to(root).as_posix(): _digest(path) for path in wanted}


def differing(found: dict[str, str], reference: dict[str, str]) -> list[str]:
    """The existing files that differ from the reference; missing files are not counted, because they were refused."""
    return [name for name, digest in found.items() if reference.get(name) != digest]


def partial_files(root: Path) -> list[str]:
    """Partial files of a killed process."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob(".partial-*"))


def _digest(path: Path) -> str:
    return hashlib.sha256(_content(path)).hexdigest()


def _content(path: Path) -> bytes:
    if path.name.endswith((".nii.gz", ".nii")):
        image: Any = nibabel.load(path)
        return np.asarray(image.dataobj).tobytes() + image.affine.tobytes()
    if path.suffix == ".json":
        return json.dumps(_lasting(json.loads(path.read_text())), sort_keys=True).encode()
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return json.dumps([_lasting(row) for row in csv.DictReader(file)]).encode()
    if path.suffix == ".pth":
        return _weights(path)
    return path.read_bytes()


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in _VOLATILE}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


def _weights(path: Path) -> bytes:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(_tensors(torch.load(path, map_location="cpu", weights_only=True), "")):
        digest.update(name.encode() + tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.digest()


def _tensors(value: Any, name: str) -> Iterable[tuple[str, Any]]:
    if hasattr(value, "contiguous"):
        yield name, value.reshape(-1)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tensors(item, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _tensors(item, f"{name}.{index}")
