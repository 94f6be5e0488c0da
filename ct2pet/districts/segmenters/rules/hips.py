"""The groin of one hip, in crops whose sides cut the body: a femur and a pelvis are in view, but no middle line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.bones import LIMB, Bones
from ct2pet.districts.segmenters.rules.scene import Scene, voxels

_FEMUR_CM2 = 5.0  # marrow included; a coccyx or a rib has less
_SHAFT_SLICES = 5
_SHAFT_MM = 60.0  # length of the upper shaft by which its direction is determined
_FEMUR_ASIDE_MM = 95.0  # from the middle line to the shaft below the trochanters
_ISCHIUM_CM2 = 1.2
_ISCHIUM_MM = (36.0, 110.0)  # from the femur to the ischium, across
_ISCHIUM_SLICES = 4
_BELOW_MM, _ABOVE_MM = 60.0, 48.0  # from the uppermost section like a thigh to the end of the ischium
_TROCHANTER_MM = 12.0  # about the distance of the end of the ischium above that of the trochanters


@dataclass(frozen=True)
class Hip:
    """``level``: the slice of the lowest point of the ischium; ``middle`` (X, voxels): where the middle line must be,
    perhaps outside the view; ``seen``: whether the ischium is in view, or the level is only derived from the
    trochanters."""

    level: float
    middle: float
    seen: bool


def find_hip(scene: Scene, bones: Bones, found: np.ndarray, lowest: int) -> Hip | None:
    """The hip of a view that contains one; None where no femur is found below it. ``found``: the votes of the slices,
    of which those below ``lowest`` are limbs."""
    femur = _femur(bones, found, lowest)
    if femur is None:
        return None
    aside = (bones.x - femur) * STEP_MM
    near = (bones.z >= lowest - voxels(_BELOW_MM)) & (bones.z <= lowest + voxels(_ABOVE_MM))
    near &= (bones.area > _ISCHIUM_CM2) & (np.abs(aside) > _ISCHIUM_MM[0])
    pelvis = float(np.sum((np.sign(aside) * bones.area)[near]))
    side = int(np.sign(pelvis)) or _cut_side(scene)
    near &= (np.sign(aside) == side) & (np.abs(aside) < _ISCHIUM_MM[1])
    ischium = _lowest_run(bones.z[near])
    level = lowest + _TROCHANTER_MM / STEP_MM if ischium is None else float(ischium)
    return Hip(level, femur + side * _FEMUR_ASIDE_MM / STEP_MM, seen=ischium is not None)


def _femur(bones: Bones, found: np.ndarray, lowest: int) -> float | None:
    """x (voxels) of the upper end of the femur's shaft."""
    columns = []
    for z in range(max(0, lowest - voxels(_SHAFT_MM)), lowest):
        rows = np.flatnonzero(bones.z == z)
        if rows.size and found[z] <= LIMB and bones.area[rows].max() > _FEMUR_CM2:
            columns.append(bones.x[rows[bones.area[rows].argmax()]])
    return float(np.median(columns[-_SHAFT_SLICES * 2 :])) if len(columns) >= _SHAFT_SLICES else None


def _lowest_run(heights: np.ndarray) -> int | None:
    """The first slice of the lowest bone that goes through enough slices."""
    slices = np.unique(heights)
    runs = np.split(slices, np.flatnonzero(np.diff(slices) > 1) + 1)
    return next((int(run[0]) for run in runs if len(run) >= _ISCHIUM_SLICES), None)


def _cut_side(scene: Scene) -> int:
    """The side (-1: low x, 1: high x) of the view that cuts more of the body: the middle of the body is on this
    side."""
    body = scene.body
    return 1 if np.count_nonzero(body[:, :, -1]) > np.count_nonzero(body[:, :, 0]) else -1
