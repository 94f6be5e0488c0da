"""A label atlas: the organs of each training patient, scaled to the box of the body, vote for each voxel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ct2pet.districts.pet_outline import pet_outline
from ct2pet.volume import Grid, Volume


@dataclass(frozen=True)
class Atlas:
    """A label map (axes along those of the patient), and the box of the patient's body in mm (Z, Y, X)."""

    labels: Volume
    low: np.ndarray
    high: np.ndarray


def body_box(pet: Volume) -> tuple[np.ndarray, np.ndarray]:
    """The box (mm; Z, Y, X) of the body's outline in a PET."""
    inside = np.argwhere(pet_outline(pet).array > 0)
    origin, spacing = np.array(pet.grid.origin[::-1]), np.array(pet.grid.spacing)
    return origin + spacing * (inside.min(0) - 0.5), origin + spacing * (inside.max(0) + 0.5)


def voted(atlases: Sequence[Atlas], pet: Volume, grid: Grid, num_labels: int) -> np.ndarray:
    """The label (0 to ``num_labels``) of most atlases for each voxel of ``grid``, in a patient with this ``pet``."""
    low, high = body_box(pet)
    votes = np.zeros((num_labels + 1, *grid.shape), np.uint8)
    for atlas in atlases:
        indices = []
        for axis in range(3):
            mm = grid.origin[2 - axis] + grid.spacing[axis] * np.arange(grid.shape[axis])
            share = (mm - low[axis]) / (high[axis] - low[axis])
            there = atlas.low[axis] + share * (atlas.high[axis] - atlas.low[axis])
            source = atlas.labels.grid
            index = np.rint((there - source.origin[2 - axis]) / source.spacing[axis]).astype(int)
            indices.append(index.clip(0, source.shape[axis] - 1))  # at the borders there is air
        moved = atlas.labels.array[np.ix_(*indices)]
        for label in range(num_labels + 1):
            votes[label] += moved == label
    return votes.argmax(0)
