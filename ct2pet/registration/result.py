"""What a registration found, and the PET at its new place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ct2pet.volume import Grid, Volume

ALIGNED, MOVED, IMPLAUSIBLE, UNCLEAR = "aligned", "moved", "implausible", "unclear"
AXES = (
    *("turn about right-left", "turn about front-back", "turn about foot-head"),
    *("right-left", "front-back", "foot-head"),
)
"""The six parameters of a rigid motion, in this order everywhere; LPS: x, y and z."""


@dataclass(frozen=True)
class Registration:
    """What was found. ``matrix``: 4x4, LPS mm, from where the PET lies to where it fits the CT.

    ``shift_mm``: how far the centre of the PET moves; ``angle_deg``; ``largest_mm``: how far a corner of the region
    that both images show moves. ``metric_before`` and ``metric_after``: mutual information in nats; ``gain_sd``: the
    gain over its standard deviation (see ``sharpness``). ``axes_left``: those of AXES without a sharp optimum, along
    which the PET was not moved; ``axes_sd_mm``: by axis, the standard deviation of its optimum (mm; of a turn, of a
    point at the mean distance from the centre), of sharp axes with the others fixed.
    ``outcome``: aligned (nothing to gain), moved, implausible (refused) or unclear (no axis has a sharp optimum).
    ``estimate_mm``: the result of the quick estimate.
    """

    outcome: str
    reason: str
    matrix: tuple[tuple[float, ...], ...]
    shift_mm: float
    angle_deg: float
    largest_mm: float
    metric_before: float
    metric_after: float
    gain_sd: float | None
    axes_left: tuple[str, ...]
    axes_sd_mm: dict[str, float]
    estimate_mm: float

    @property
    def gain(self) -> float:
        """Relative gain of mutual information."""
        return self.metric_after / self.metric_before - 1 if self.metric_before > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "gain": self.gain}


def moved(volume: Volume, registration: Registration) -> Volume:
    """The volume on the grid where it fits the CT: the same voxels, without resampling."""
    return Volume(volume.array, moved_grid(volume.grid, registration), volume.unit)


def moved_grid(grid: Grid, registration: Registration) -> Grid:
    return Grid.from_affine(grid.shape, np.array(registration.matrix) @ grid.affine)
