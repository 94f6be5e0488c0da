"""The outer layers of the body: skin, fat and muscle of trunk, head, arms and legs, and the districts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ct2pet.phantom.patient import Patient
from ct2pet.phantom.shapes import Loft, Point, Solid, Stroke, capsule, ellipsoid, region
from ct2pet.phantom.sketch import Sketch
from ct2pet.phantom.tissues import LABELS

DISTRICTS = {"head": 1, "trunk": 2, "arms": 3, "legs": 4}
SKIN_MM = 2.0
_THIN = 15.0
"""Fat under the skin (mm) above which the belly is larger, too."""

# z, share of the patient's fat thickness, and the muscle wall: centre y, half-width, half-depth
_TRUNK = (
    (762, 0.9, 8, 40, 40),
    (800, 0.9, 5, 146, 82),
    (850, 1.2, 8, 163, 98),
    (900, 1.3, 8, 166, 102),
    (960, 1.2, 2, 150, 97),
    (1040, 1.1, -2, 136, 92),
    (1110, 0.9, -6, 143, 97),
    (1200, 0.7, -8, 152, 104),
    (1290, 0.6, -4, 160, 104),
    (1350, 0.5, 4, 168, 92),
    (1385, 0.5, 8, 146, 74),
    (1410, 0.4, 8, 92, 60),
    (1432, 0.3, 6, 58, 52),
)
# z, share of the fat, centre x, centre y, half-width, half-depth
_LEG = (
    (38, 0.15, 92, 16, 22, 30),
    (90, 0.2, 92, 14, 24, 30),
    (200, 0.3, 94, 10, 37, 41),
    (340, 0.35, 96, 14, 49, 55),
    (430, 0.35, 96, 8, 46, 50),
    (490, 0.4, 96, 2, 50, 56),
    (600, 0.6, 98, 2, 63, 68),
    (720, 0.8, 98, 4, 75, 80),
    (810, 0.9, 92, 8, 80, 90),
    (890, 0.9, 88, 8, 76, 86),
)


@dataclass(frozen=True)
class Limb:
    """Joints of an arm (reference mm), written as if it were the left one."""

    shoulder: Point
    elbow: Point
    wrist: Point
    fingers: Point


def arm_of(patient: Patient, *, left: bool = True) -> Limb:
    """An arm of the patient's pose (``patient.ARM_POSES``), written as if it were the left one."""
    pose, shoulder = patient.arms, (160.0, 8.0, 1374.0)
    aside = 0.8 * (patient.fat - _THIN)
    if pose == "raised" or (pose == "left raised" and left):
        return Limb(shoulder, (205.0, -8.0, 1640.0), (105.0, -30.0, 1850.0), (40.0, -45.0, 1985.0))
    if pose == "forward":
        up = 0.0 if left else 45.0  # one forearm is in front of the other
        return Limb(shoulder, (200.0, -118.0, 1560.0), (60.0, -128.0, 1715.0 + up), (-40.0, -124.0, 1760.0 + up))
    if pose == "elbows out":
        return Limb(shoulder, (256.0, 26.0, 1545.0), (120.0, 50.0, 1725.0), (10.0, 60.0, 1745.0))
    if pose == "folded" or (pose == "left across" and left):
        front, up = _belly_front(patient, 1050.0) - 22, 0.0 if left else 60.0
        elbow, wrist = (226.0 + aside, 0.4 * front, 1110.0), (110.0, front, 1050.0 + up)
        return Limb(shoulder, elbow, wrist, (-20.0, front - 6, 1040.0 + up))
    return Limb(shoulder, (216.0 + aside, 22.0, 1095.0), (222.0 + aside, -12.0, 855.0), (218.0 + aside, -28.0, 700.0))


def _belly_front(patient: Patient, z: float) -> float:
    """y of the skin in front of the middle line."""
    _, cy, _, ry = trunk_wall(patient, 1).section(np.array(z))
    return float(cy - ry)


def belly_of(patient: Patient) -> float:
    """The displacement (mm) of the abdominal wall by its content."""
    return 1.1 * max(0.0, patient.fat - _THIN)


def trunk_wall(patient: Patient, share_of_fat: float) -> Loft:
    """The trunk's muscle wall (0) or skin (1)."""
    rows = []
    for z, fat, cy, rx, ry in _TRUNK:
        bulge = belly_of(patient) * float(np.exp(-(((z - 1030) / 90) ** 2)))
        more = share_of_fat * fat * patient.fat
        rows.append((z, 0.0, cy - bulge / 2, rx + more + 0.6 * bulge, ry + more + bulge / 2))
    return Loft(rows, power=2.6)


def _leg(patient: Patient, share_of_fat: float) -> Loft:
    muscle = 0.8 * patient.muscle
    rows = [
        (z, cx, cy, rx + muscle + share_of_fat * fat * patient.fat, ry + muscle + share_of_fat * fat * patient.fat)
        for z, fat, cx, cy, rx, ry in _LEG
    ]
    return Loft(rows)


def _arm_solids(patient: Patient, grow: float) -> list[Solid]:
    solids, more = [], grow + 0.5 * patient.muscle
    for left in (True, False):
        arm = arm_of(patient, left=left)
        parts = [
            capsule(arm.shoulder, arm.elbow, 40 + more, 31 + more),
            capsule(arm.elbow, arm.wrist, 32 + more, 19 + more / 2),
            capsule(arm.wrist, arm.fingers, 19 + grow / 2, 9 + grow / 3),
        ]
        solids += parts if left else [part.mirrored() for part in parts]
    return solids


def _leg_solids(patient: Patient, share: float, grow: float) -> list[Solid]:
    leg = _leg(patient, share).solid(grow)
    heel, foot = (
        ellipsoid((92, 22, 34), (26 + grow, 34 + grow, 34)),
        capsule((93, 8, 38), (104, -118, 30), 28 + grow, 17),
    )
    return [part for solid in (leg, heel, foot) for part in (solid, solid.mirrored())]


def _head_solids(grow: float) -> list[Solid]:
    neck = Loft([(1385, 0, 10, 56, 50), (1430, 0, 6, 51, 49), (1490, 0, 8, 50, 52), (1560, 0, 18, 52, 56)])
    return [
        neck.solid(grow),
        ellipsoid((0, 8, 1612), (73 + grow, 92 + grow, 85 + grow)),
        ellipsoid((0, -42, 1546), (55 + grow, 50 + grow, 68 + grow), power=2.6),
        ellipsoid((0, -92, 1552), (9 + grow, 17 + grow, 18 + grow)),
    ]


def _parts(patient: Patient) -> dict[str, list[list[Solid]]]:
    """For each district the solids of its skin, its fat and its muscle."""
    fat = patient.fat
    arm_fat, head_fat = 0.3 * fat, 0.15 * fat
    return {
        "arms": [_arm_solids(patient, grow) for grow in (arm_fat + SKIN_MM, arm_fat, 0)],
        "legs": [_leg_solids(patient, share, grow) for share, grow in ((1, SKIN_MM), (1, 0), (0, -3))],
        "trunk": [[trunk_wall(patient, share).solid(grow)] for share, grow in ((1, SKIN_MM), (1, 0), (0, 0))],
        "head": [_head_solids(grow) for grow in (head_fat + SKIN_MM, head_fat, 0)],
    }


def draw_surfaces(sketch: Sketch) -> None:
    """Skin, then fat, then muscle of all parts, so that no skin is left where two parts meet."""
    parts = _parts(sketch.patient)
    for layer, tissue in enumerate(("skin", "fat", "muscle")):
        for solids in (part[layer] for part in parts.values()):
            for solid in solids:
                sketch.strokes.append(Stroke(LABELS[tissue], solid))
    if sketch.patient.sex == "female":
        _draw_breasts(sketch)


def _draw_breasts(sketch: Sketch) -> None:
    front = -102.0 - 0.6 * sketch.patient.fat
    for tissue, grow in (("skin", SKIN_MM), ("fat", 0.0), ("breast", -14.0)):
        solid = sketch.organ("breast", (82, front + 8, 1262), (58, 34, 52), grow=grow)
        onto = {"skin": None, "fat": ("skin",), "breast": ("fat",)}[tissue]
        for side in (solid, solid.mirrored()):
            labels = (0,) if onto is None else tuple(LABELS[name] for name in onto)
            sketch.strokes.append(Stroke(LABELS[tissue], side, labels))


def _beyond_the_shoulder_joint(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Lateral to the sagittal plane between the glenoid and the head of the humerus, whose lower part is inclined
    outwards."""
    return np.abs(x) > 139 + 0.45 * np.maximum(0, 1374 - z)


def district_strokes(patient: Patient) -> list[Stroke]:
    """The part of the body of a voxel, before ``divide`` cuts neck and groin by planes."""
    parts = _parts(patient)
    strokes = [Stroke(DISTRICTS[name], solid) for name, part in parts.items() for solid in part[0]]
    outer = region(_beyond_the_shoulder_joint)
    strokes += [Stroke(DISTRICTS["arms"], solid & outer, (DISTRICTS["trunk"],)) for solid in parts["arms"][0]]
    if patient.sex == "female":
        solid = ellipsoid((82, -94 - 0.6 * patient.fat, 1262), (90, 60, 80))
        strokes += [Stroke(DISTRICTS["trunk"], side, (0,)) for side in (solid, solid.mirrored())]
    return strokes


def divide(districts: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
    """Cut, in place: the head from the trunk at the root of the neck, the legs from the trunk by planes along the
    groins.

    The root of the neck runs from the jugular notch to the spinous process of C7 and rises over the shoulders. The
    planes of the groins rise from the lowest point of the ischia through the middle of the femoral necks: a thigh
    begins below the femoral head (a convention: table 2 of J Sports Sci Med 2014;13:157).
    """
    aside = np.maximum(0, np.abs(x) - 60)
    neck = 1402 + 0.3 * y[None, :, None] + aside[None, None, :] - z[:, None, None]
    groin = 809 + 0.57 * np.abs(x)[None, None, :] - z[:, None, None]
    head, trunk, legs = DISTRICTS["head"], DISTRICTS["trunk"], DISTRICTS["legs"]
    central = (districts == head) | (districts == trunk)
    districts[central] = np.where(np.broadcast_to(neck < 0, districts.shape)[central], head, trunk)
    lower = (districts == trunk) | (districts == legs)
    districts[lower] = np.where(np.broadcast_to(groin > 0, districts.shape)[lower], legs, trunk)
