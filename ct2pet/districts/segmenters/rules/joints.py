"""The shoulder joints: an arm begins lateral to the plane between the glenoid and the head of the humerus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.scene import Scene, voxels

_ABOVE_APEX_MM, _BELOW_APEX_MM = 44.0, 68.0  # of the lungs: humeral heads are between
_THICK_MM = 12.0  # radius that fits into a humeral head, and into no other bone of the shoulder
_ASIDE_MM = 100.0
_LEAST_ML = 8.0  # of a humeral head after the opening
_RADIUS_MM = 20.0  # from the middle of the head to the joint
_LEAN = 0.45  # below the head the plane is inclined outwards, along the axilla
_ABOVE_MM, _BELOW_MM, _AXILLA_MM = 60.0, 90.0, 40.0  # around the middle of the head, voxels that the plane divides
_REACH_MM = 64.0  # largest distance of an upper arm's soft tissue from its bones


@dataclass(frozen=True)
class Joint:
    """The middle of a humeral head (``z``, ``x``: voxels) and its ``side``, 1 where x is higher than the middle."""

    z: int
    x: float
    side: int


def humeral_heads(scene: Scene, middle: np.ndarray) -> np.ndarray:
    """bool (Z, Y, X): the only thick bones at the shoulders that are far from the middle line."""
    found = np.zeros_like(scene.body)
    size = voxels(_THICK_MM)
    rows, columns = np.ogrid[-size : size + 1, -size : size + 1]
    disc = rows**2 + columns**2 <= size**2
    low, high = scene.shoulder - voxels(_BELOW_APEX_MM), scene.shoulder + voxels(_ABOVE_APEX_MM)
    for z in range(max(0, low), min(len(found), high + 1)):
        aside = np.abs(np.arange(found.shape[2]) - middle[z]) * STEP_MM > _ASIDE_MM
        found[z] = ndimage.binary_opening(ndimage.binary_fill_holes(scene.bone[z]) & aside, disc)
    return found


def shoulder_joints(scene: Scene) -> list[Joint]:
    """The joints whose humeral head is in view, at most one a side."""
    if scene.middle is None:
        return []
    parts, _ = ndimage.label(humeral_heads(scene, scene.middle))
    best: dict[int, tuple[int, Joint]] = {}
    for index, box in enumerate(ndimage.find_objects(parts), start=1):
        part = parts[box] == index
        size = int(np.count_nonzero(part))
        z, _, x = (start.start + mean for start, mean in zip(box, np.argwhere(part).mean(axis=0)))
        joint = Joint(round(z), float(x), 1 if x > scene.middle[round(z)] else -1)
        if size * scene.grid.voxel_ml >= _LEAST_ML and size > best.get(joint.side, (0, joint))[0]:
            best[joint.side] = (size, joint)
    return [joint for _, joint in best.values()]


def cut_at_joint(scene: Scene, joint: Joint, arms: np.ndarray, bones: np.ndarray, apart: np.ndarray) -> None:
    """Cut ``arms`` (Z, Y, X) at the joint's plane, in place. ``bones``: those of arms; ``apart``: the arms that do not
    touch the trunk, which are not changed."""
    low = max(0, joint.z - voxels(_BELOW_MM))
    zone = slice(low, joint.z + voxels(_ABOVE_MM))
    z, x = np.arange(len(arms))[zone], np.arange(arms.shape[2])
    plane = (joint.side * joint.x * STEP_MM - _RADIUS_MM) + _LEAN * np.maximum(0, joint.z - z) * STEP_MM
    beyond = (joint.side * x[None] * STEP_MM > plane[:, None])[:, None]
    near = ndimage.distance_transform_edt(~bones[zone]) * STEP_MM < _REACH_MM
    arms[zone] |= scene.body[zone] & beyond & near
    high = (z >= joint.z - voxels(_AXILLA_MM))[:, None, None]
    assert scene.middle is not None
    same_side = joint.side * (x[None] - scene.middle[zone, None]) > 0
    arms[zone] &= beyond | ~high | ~same_side[:, None] | apart[zone]
