"""The bones in axial sections: limbs contain one or two round ones, the trunk many, or large ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.districts.segmenters.rules.sections import Sections, edge

_LEAST_CM2 = 0.7
_SHAFT_CM2 = 2.0
_SHAFT_MM = 52.0  # across a long bone, its ends left aside
_KNEE_CM2 = 200.0  # a smaller whole section is a knee or an elbow, not a pelvis
_THIGH_CM2 = 350.0  # hardly any is larger: a vertebra may be cut without its processes
_SKULL_CM2 = 60.0  # with what it encloses; knees have half of it
_WHOLE = 0.3  # of the outline may lie at the edge of the field of view
_FIBULA = 0.45  # of the tibia's section
_APART_MM = 90.0  # both femora
_GAS_HU = -400.0
_GAS_CM2 = 1.0
TRUNK, UNKNOWN, LIMB, CALF = 1, 0, -1, -2
_BELOW_SLICES, _KNEE_SLICES = 10, 30


@dataclass(frozen=True)
class Bones:
    """One row per bone of an axial section, marrow included: its ``section``, ``z`` (slice), ``area`` (cm2),
    ``extent`` (mm, the longer side of its box), ``x`` (voxels, the middle of the box) and ``cut``, whether it lies at
    the edge of the field of view."""

    section: np.ndarray
    z: np.ndarray
    area: np.ndarray
    extent: np.ndarray
    x: np.ndarray
    cut: np.ndarray


def measure_bones(scene: Scene, sections: Sections) -> Bones:
    """The bones of all sections."""
    rows, border = [], edge(scene.coarse.seen)
    for z in np.flatnonzero(scene.bone.any(axis=(1, 2))):
        blobs, _ = ndimage.label(ndimage.binary_fill_holes(scene.bone[z]))
        for index, box in enumerate(ndimage.find_objects(blobs), start=1):
            blob = blobs[box] == index
            area = blob.sum() * STEP_MM**2 / 100
            if area >= _LEAST_CM2:
                section = int(np.bincount(sections.labels[z][box][blob]).argmax())
                x = (box[1].start + box[1].stop - 1) / 2
                cut = bool((blob & border[z][box]).any())
                rows.append((section, z, area, max(blob.shape) * STEP_MM, x, cut))
    table = np.array(rows, dtype=float).reshape(-1, 6)
    section, z, area, extent, x, cut = table.T
    return Bones(section.astype(int), z.astype(int), area, extent, x, cut > 0)


def votes(scene: Scene, sections: Sections, bones: Bones, central: np.ndarray) -> np.ndarray:
    """For every slice TRUNK, LIMB, CALF (a limb, of two bones) or UNKNOWN, by the bones of its largest ``central``
    sections (bool by number)."""
    result = np.zeros(scene.body.shape[0], dtype=int)
    gas = (scene.body & (scene.coarse.hu < _GAS_HU)).sum(axis=(1, 2)) * STEP_MM**2 / 100 > _GAS_CM2
    for z in np.flatnonzero(scene.body.any(axis=(1, 2))):
        numbers = sections.numbers(int(z))
        numbers = numbers[central[numbers]]
        numbers = numbers[sections.area[numbers] > 0.5 * sections.area[numbers].max(initial=0)]
        found = {_section_vote(sections, n, bones, np.flatnonzero(bones.section == n)) for n in numbers}
        result[z] = max(found - {UNKNOWN}, default=TRUNK if gas[z] else UNKNOWN)
    return ndimage.median_filter(result, 5, mode="nearest")


def _section_vote(sections: Sections, number: int, bones: Bones, rows: np.ndarray) -> int:
    rows = rows[np.argsort(-bones.area[rows])]
    sizes, extents = bones.area[rows], bones.extent[rows]
    if not rows.size or sizes[0] < _SHAFT_CM2:
        return UNKNOWN
    if sizes[0] > _SKULL_CM2:
        return TRUNK
    slim = bool((extents <= _SHAFT_MM).all())
    if rows.size == 2 and slim and sizes[1] < _FIBULA * sizes[0]:
        return CALF
    if sections.area[number] < _KNEE_CM2 and sections.cut[number] < _WHOLE:
        return LIMB
    if not slim or rows.size > 2:
        return TRUNK
    if rows.size == 1:
        return LIMB if sections.area[number] < _THIGH_CM2 else UNKNOWN
    return LIMB if abs(bones.x[rows[0]] - bones.x[rows[1]]) * STEP_MM > _APART_MM else TRUNK


def change(found: np.ndarray) -> int:
    """The lowest slice of the trunk, with limbs below: the division that contradicts the fewest votes. Slices directly
    above calves are knees, not trunk."""
    above = np.r_[np.cumsum((found == TRUNK)[::-1])[::-1], 0]
    below = np.r_[0, np.cumsum(found < 0)]
    best = int((above + below).argmax())
    nearest = found[max(0, best - _BELOW_SLICES) : best]
    knees = nearest.size == _BELOW_SLICES and np.mean(nearest == CALF) > 0.5
    return len(found) if knees and np.count_nonzero(found[best:] == TRUNK) < _KNEE_SLICES else best
