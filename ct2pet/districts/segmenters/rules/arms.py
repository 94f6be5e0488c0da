"""The arms of a body whose lungs or brain are in view: lateral sections, and the voxels around their bones up to the
shoulder joints. Where arm and trunk touch, a voxel gets the label of the nearer bone."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.joints import cut_at_joint, humeral_heads, shoulder_joints
from ct2pet.districts.segmenters.rules.scene import Scene, span, voxels
from ct2pet.districts.segmenters.rules.sections import Sections

_CM2 = STEP_MM**2 / 100
_LIMB_MM = 28.0  # a humeral head, or both bones of a forearm, lie within such a circle
_HEAD_CM2 = 9.0  # of the filled section of a humeral head
_BONE_CM2 = 0.5
_LYING_CM2 = 14.0
_ABOVE_APEX_MM, _BELOW_APEX_MM = 44.0, 68.0  # of the lungs: humeral heads end between
_UPPER_ARM_MM = 60.0  # largest distance of soft tissue from a humerus
_SYMMETRY = 1.25
_GIRDLE_MM = 150.0  # below the apex of the lungs there is no clavicle or scapula beyond this distance
_DEEP_MM = 70.0  # voxels deeper under the skin are trunk
_ASIDE_MM = 25.0  # distance of humeral shafts from the side of the lungs
_SHAFT_MM = (8.0, 52.0)
_ROUND = 0.55
_SHAFT_SLICES = 5
_OFF_SKULL_MM = 26.0  # from the brain; bone at a larger distance above the face is of an arm
_FACE_MM = 60.0
_REACH_MM = 24.0


def find_arms(scene: Scene, sections: Sections, apart: np.ndarray) -> np.ndarray:
    """bool (Z, Y, X): the arms, of which ``apart`` (see ``arm_sections``) is known; all false where none is found."""
    seeds = scene.bone & (apart | _shafts(scene) | _over_the_head(scene))
    grown = seeds & ~apart
    _follow_all(scene, apart, seeds, grown)
    if not grown.any():
        return apart
    arms = apart | _around(scene, sections, apart, seeds, grown)
    for joint in shoulder_joints(scene):
        cut_at_joint(scene, joint, arms, grown | seeds, apart)
    return arms


def _shafts(scene: Scene) -> np.ndarray:
    """Round bones far to the side of the lungs: humeri of arms that touch the trunk in every slice."""
    found = np.zeros_like(scene.body)
    where = span(scene.lungs)
    if where is None or scene.middle is None:
        return found
    columns = np.flatnonzero(scene.lungs.any(axis=(0, 1)))
    half_width = (columns[-1] - columns[0] + 1) / 2
    for z in range(where[0], where[1] + 1):
        blobs, _ = ndimage.label(ndimage.binary_fill_holes(scene.bone[z]))
        for index, box in enumerate(ndimage.find_objects(blobs), start=1):
            blob = blobs[box] == index
            sides = np.array(blob.shape) * STEP_MM
            centre = (box[1].start + box[1].stop - 1) / 2
            beside = abs(centre - scene.middle[z]) > half_width + _ASIDE_MM / STEP_MM
            round_ = blob.sum() * STEP_MM**2 > _ROUND * sides.max() ** 2
            if beside and round_ and _SHAFT_MM[0] <= sides.max() <= _SHAFT_MM[1]:
                found[z][box] |= blob
    found |= humeral_heads(scene, scene.middle)
    parts, _ = ndimage.label(found, structure=np.ones((3, 3, 3)))
    long_enough = [False, *(box[0].stop - box[0].start >= _SHAFT_SLICES for box in ndimage.find_objects(parts))]
    return np.array(long_enough)[parts]


def _over_the_head(scene: Scene) -> np.ndarray:
    """Bones above the face and off the skull."""
    where = span(scene.brain)
    found = np.zeros_like(scene.body)
    if where is None:
        return found
    low = where[0] + voxels(_FACE_MM)
    if where[1] - low > 2:
        off = ndimage.distance_transform_edt(~scene.brain[low:]) * STEP_MM > _OFF_SKULL_MM
        found[low:] = scene.bone[low:] & off
    return found


def _follow_all(scene: Scene, apart: np.ndarray, seeds: np.ndarray, grown: np.ndarray) -> None:
    """Follow the bones of arms from certain voxels to the shoulder joint and to the hand; the bones found are added to
    ``grown``."""
    parts, _ = ndimage.label(apart | ndimage.binary_dilation(seeds))
    for index, box in enumerate(ndimage.find_objects(parts), start=1):
        part = seeds[box] & (parts[box] == index)
        slices = np.flatnonzero(part.sum(axis=(1, 2)) * _CM2 > _BONE_CM2)
        for end, step in ((slices[-1:], 1), (slices[:1], -1)):
            for k in end:
                z = box[0].start + int(k)
                mask = np.zeros(scene.body.shape[1:], dtype=bool)
                mask[box[1:]] = part[k]
                _follow(scene, apart, grown, mask, z, step)


def _follow(scene: Scene, apart: np.ndarray, grown: np.ndarray, mask: np.ndarray, z: int, step: int) -> None:
    """Add to ``grown``, slice by slice, the bones that continue the bone ``mask`` of slice ``z``, until the arm is
    apart."""
    stop = _last_slice(scene, z, step)
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    centre, largest = np.argwhere(mask).mean(axis=0), 0.0
    while z != stop:
        z += step
        filled = ndimage.binary_fill_holes(scene.bone[z])
        near = np.hypot(rows - centre[0], columns - centre[1]) * STEP_MM < _LIMB_MM
        next_mask = filled & near & ndimage.binary_dilation(mask, iterations=2)
        if scene.shoulder - z > voxels(_GIRDLE_MM):
            next_mask |= _lying_bones(filled, mask, scene.lungs[z])
        mask, area = next_mask, next_mask.sum() * _CM2
        if area < max(_BONE_CM2, 0.35 * largest) or apart[z][mask].mean() > 0.5:
            return
        if area < _HEAD_CM2 and not largest:
            centre = np.argwhere(mask).mean(axis=0)
        else:
            largest = max(largest, area)
        grown[z] |= mask


def _lying_bones(filled: np.ndarray, mask: np.ndarray, lungs: np.ndarray) -> np.ndarray:
    """Small bones of a slice that lie over the mask: a forearm across the belly is cut lengthwise."""
    blobs, _ = ndimage.label(filled)
    small = np.bincount(blobs.ravel()) * _CM2 < _LYING_CM2
    small[np.unique(blobs[ndimage.binary_dilation(lungs, iterations=4)])] = False
    over = np.zeros_like(small)
    over[np.unique(blobs[mask])] = True
    over[0] = False
    return (small & over)[blobs]


def _last_slice(scene: Scene, z: int, step: int) -> int:
    """The slice at which to stop: the end of the scan, or the end of the shoulder joints."""
    end = scene.body.shape[0] - 1 if step > 0 else 0
    if scene.apex is None:
        return end
    high = scene.apex + voxels(_ABOVE_APEX_MM)
    low = scene.apex - voxels(_BELOW_APEX_MM)
    if step > 0 and z <= high:
        return min(end, high)
    return max(end, low) if step < 0 and z >= low else end


def _around(scene: Scene, sections: Sections, apart: np.ndarray, seeds: np.ndarray, grown: np.ndarray) -> np.ndarray:
    """The soft tissue of arms that have no separate section. It extends inwards about as far as outwards."""
    first, last = span(grown) or (0, -1)
    zone = slice(max(0, first - voxels(_REACH_MM)), last + 1 + voxels(_REACH_MM))
    bones, depth = grown[zone], sections.depth[zone]
    other = scene.bone[zone] & ~bones & ~apart[zone] & ~seeds[zone]
    other |= scene.lungs[zone] | scene.brain[zone] | (depth > _DEEP_MM)
    to_arm, nearest = ndimage.distance_transform_edt(~bones, return_indices=True)
    reach = np.minimum(_SYMMETRY * _depth_of(bones, depth) + STEP_MM, _UPPER_ARM_MM)[tuple(nearest)]
    to_other = ndimage.distance_transform_edt(~other)
    arms = np.zeros_like(apart)
    arms[zone] = scene.body[zone] & (to_arm < to_other) & (to_arm * STEP_MM < reach)
    return arms


def _depth_of(bones: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """For the voxels of each bone of a slice: how deep (mm) under the skin it lies, 0 elsewhere."""
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1] = True
    parts, count = ndimage.label(bones, in_plane)
    index = np.arange(1, count + 1)
    depths = (ndimage.mean(depth, parts, index) + ndimage.minimum(depth, parts, index)) / 2
    return np.r_[0.0, depths][parts]
