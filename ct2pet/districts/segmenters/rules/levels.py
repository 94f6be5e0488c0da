"""The borders of head, trunk and legs: the root of the neck and the groins.

They are conventions. The root of the neck runs from the jugular notch to the spinous process of C7, at the
apex of the lungs, and rises over the shoulders. A leg begins beneath the femoral head, at a plane from the lowest point
of the ischia through the middle of the femoral neck (table 2 of J Sports Sci Med 2014;13:157 for body composition).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.scene import Scene, voxels

_NECK_SLOPE = 0.3
_NECK_MM = 60.0  # half the width of a neck; shoulders are further from the middle line
_NECK_MOST_MM = 100.0  # no head or neck reaches farther from the middle line
_WIDENS = 1.5  # shoulders are so much wider than a neck
_NECK_REACH_MM = 260.0  # from the middle of the brain down to the shoulders
_GROIN_SLOPE = 0.57
_GROIN_MOST_MM = 110.0  # sections in the loins of an obese patient are not legs
_FEMORA_MM = 90.0  # from the middle line to their shafts below the hip
_ZONE = 0.75  # share of it within which there are ischia and pubic bones, but no femora
_PELVIS_CM2 = 1.0
_GAP_MM = 24.0
_HEAD_MM = 18.0  # radius that fits into a femoral head and its socket, not into the ilium above
_HEAD_CM2 = 8.0
_HEAD_ASIDE_MM = (50.0, 130.0)
_HEAD_OVER_ISCHIA_MM = 78.0
_PAST_MM = 12.0


def above_neck(scene: Scene, middle: np.ndarray, level: int) -> np.ndarray:
    """bool (Z, Y, X): above the root of the neck, which crosses the spine at ``level`` (a slice)."""
    z, y, x = (np.arange(n) for n in scene.body.shape)
    rows = np.flatnonzero(scene.body[level].any(axis=1))
    centre = rows.mean() if rows.size else len(y) / 2
    aside = np.maximum(0, np.abs(x[None] - middle[:, None]) - _NECK_MM / STEP_MM)
    root = level + _NECK_SLOPE * (y - centre)
    within = np.abs(x[None] - middle[:, None]) * STEP_MM < _NECK_MOST_MM
    return (z[:, None, None] > root[None, :, None] + aside[:, None, :]) & within[:, None]


def shoulder_level(scene: Scene, central: np.ndarray) -> int | None:
    """For a head without lungs in view: the slice at which the neck widens to the shoulders; None where it does not."""
    heights = np.flatnonzero(scene.brain.any(axis=(1, 2)))
    if not heights.size:
        return None
    middle = round(float(heights.mean()))
    low = max(0, middle - voxels(_NECK_REACH_MM))
    width = ndimage.median_filter(central.any(axis=1).sum(axis=1).astype(float), 3)[low:middle]
    if not width.size or width.max() == 0:
        return None
    narrowest = int(np.where(width > 0, width, np.inf).argmin())
    wide = np.flatnonzero(width[:narrowest] > _WIDENS * width[narrowest])
    return low + int(wide[-1]) if wide.size else None


def below_groins(scene: Scene, middle: np.ndarray, level: float) -> np.ndarray:
    """bool (Z, Y, X): below the groins; ``level`` (slices): the lowest point of the ischia."""
    z, x = np.arange(scene.body.shape[0]), np.arange(scene.body.shape[2])
    rise = np.minimum(_GROIN_SLOPE * np.abs(x[None] - middle[:, None]), _GROIN_MOST_MM / STEP_MM)
    return np.broadcast_to((z[:, None] < level + rise)[:, None], scene.body.shape)


def ischia_level(
    scene: Scene, central: np.ndarray, middle: np.ndarray, top: int, femora_mm: float = _FEMORA_MM
) -> int | None:
    """The lowest slice of the pelvis: going down from ``top``, where bone about the middle line ends; None where the
    scan ends above. ``femora_mm``: how far from the middle line the femora begin."""
    columns = np.abs(np.arange(scene.body.shape[2])[None] - middle[:, None]) * STEP_MM < _ZONE * femora_mm
    bone = (scene.bone & central & columns[:, None]).sum(axis=(1, 2)) * STEP_MM**2 / 100
    missing = 0
    for z in range(top, -1, -1):
        missing = missing + 1 if bone[z] < _PELVIS_CM2 else 0
        if missing >= voxels(_GAP_MM):
            return z + missing
    return None


def femoral_heads_level(scene: Scene, central: np.ndarray, middle: np.ndarray, top: int) -> float | None:
    """Where the ischia would end (slices; it may lie below the scan), from the femoral heads: the thickest bones
    beside the middle line. None where they are not found, or are at the end of the scan."""
    size = voxels(_HEAD_MM)
    rows, columns = np.ogrid[-size : size + 1, -size : size + 1]
    disc = rows**2 + columns**2 <= (_HEAD_MM / STEP_MM) ** 2
    areas = np.zeros((top + 1, 2))
    for z in np.flatnonzero(scene.bone[: top + 1].any(axis=(1, 2))):
        thick = ndimage.binary_opening(ndimage.binary_fill_holes(scene.bone[z] & central[z]), disc)
        aside = (np.flatnonzero(thick.any(axis=0)) - middle[z]) * STEP_MM
        for side, sign in enumerate((-1, 1)):
            near = (sign * aside > _HEAD_ASIDE_MM[0]) & (sign * aside < _HEAD_ASIDE_MM[1])
            found = np.flatnonzero(thick.any(axis=0))[near]
            areas[z, side] = thick[:, found].sum() * STEP_MM**2 / 100
    both = ndimage.gaussian_filter1d(areas.min(axis=1), 1.5)
    level = int(both.argmax())
    if both[level] < _HEAD_CM2 or level * STEP_MM < _PAST_MM:
        return None
    return level - _HEAD_OVER_ISCHIA_MM / STEP_MM
