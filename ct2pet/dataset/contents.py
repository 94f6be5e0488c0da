"""Checks of the images of one case. Every problem is a sentence; all checks are run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ct2pet.dataset.fields import CATEGORY, INPUT, TARGET
from ct2pet.dataset.raw import RawDataset
from ct2pet.errors import ImageError
from ct2pet.imageio import read_volume
from ct2pet.volume import Grid

LEAST_OVERLAP = 0.25  # share of the smaller field of view; less means another patient or a wrong position


@dataclass
class CaseContents:
    """``problems``: (file, message) pairs. ``digests``: equal for images of equal values; of inputs and targets."""

    problems: list[tuple[Path, str]] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)


def check_case(dataset: RawDataset, case: str, split: str) -> CaseContents:
    """Read every existing image of a case and check its values and its position."""
    contents = CaseContents()
    leading: Grid | None = None
    for one in dataset.fields:
        path = None if one.kind == CATEGORY else dataset.file(one, case, split)
        if path is None:
            continue
        try:
            volume = read_volume(path)
        except ImageError as error:
            contents.problems.append((path, str(error).removeprefix(f"{path}: ")))
            continue
        if one.role in (INPUT, TARGET):
            contents.digests[one.name] = _digest(volume.array)
        messages = one.problems(volume.array)
        if one == dataset.leading:
            leading = volume.grid
        elif leading is not None:
            messages += place_problems(volume.grid, leading, dataset.leading.name)
        contents.problems += [(path, message) for message in messages]
    return contents


def place_problems(grid: Grid, leading: Grid, name: str) -> list[str]:
    """Signs that an image belongs to another patient than the image ``name`` on the grid ``leading``."""
    overlap = max(grid.overlap(leading), leading.overlap(grid))
    if overlap >= LEAST_OVERLAP:
        return []
    return [f"it overlaps the {name} by only {100 * overlap:.0f}%: another patient, or a wrong position in its header"]


def _digest(array: np.ndarray) -> str:
    digest = hashlib.blake2b(str(array.shape).encode(), digest_size=16)
    for part in array:  # slice by slice, to avoid a copy of the volume
        digest.update(np.ascontiguousarray(part, np.float32).data)
    return digest.hexdigest()
