"""Where head, trunk and legs meet: the root of the neck and the groins."""

from __future__ import annotations

import numpy as np

from ct2pet.districts._body import STEP_MM
from ct2pet.districts._rules_scene import Scene, span, voxels

_NECK_SLOPE = 0.3  # from the jugular notch up to the spinous process of C7
_NECK_MM = 60.0  # half as wide as a neck; beyond, shoulders rise
_GROIN_SLOPE = 0.57  # from the lowest point of the ischia to the middle of the femoral necks
_ZONE_MM = 68.0  # about the middle: ischia and pubic bones, no femora
_PELVIS_CM2 = 1.0
_GAP_MM = 24.0


def head_above(scene: Scene) -> np.ndarray | None:
    """bool (Z, Y, X): above the root of the neck; None where it is not seen."""
    if scene.apex is None or scene.middle is None:
        return None
    z, y, x = (np.arange(n) for n in scene.body.shape)
    apex = scene.apex
    rows = np.flatnonzero((scene.lungs[max(0, apex - 3) : apex + 1]).any(axis=(0, 2)))
    front_of_spine = rows.mean()
    aside = np.maximum(0, np.abs(x[None] - scene.middle[:, None]) - _NECK_MM / STEP_MM)
    level = apex + 1 + _NECK_SLOPE * (y - front_of_spine)
    return z[:, None, None] > level[None, :, None] + aside[:, None, :]


def legs_below(scene: Scene, central: np.ndarray) -> np.ndarray | None:
    """bool (Z, Y, X): below the groins of a body without its arms; None where the scan ends above."""
    ischia = ischia_level(scene, central)
    if ischia is None or scene.middle is None:
        return None
    z, x = np.arange(scene.body.shape[0]), np.arange(scene.body.shape[2])
    rise = _GROIN_SLOPE * np.abs(x - scene.middle[ischia])
    return np.broadcast_to((z[:, None] < ischia + rise[None])[:, None], scene.body.shape)


def ischia_level(scene: Scene, central: np.ndarray) -> int | None:
    """The lowest slice of the pelvis: going down from the chest, bone about the middle line ends."""
    lungs = span(scene.lungs)
    if lungs is None or scene.middle is None:
        return None
    columns = np.abs(np.arange(scene.body.shape[2]) - scene.middle[lungs[0]]) * STEP_MM < _ZONE_MM
    bone = (scene.bone & central)[:, :, columns].sum(axis=(1, 2)) * STEP_MM**2 / 100
    missing = 0
    for z in range(lungs[0], -1, -1):
        missing = missing + 1 if bone[z] < _PELVIS_CM2 else 0
        if missing >= voxels(_GAP_MM):
            return z + missing
    return None
