"""Inside the trunk: the cavity, the diaphragm, and the organs of chest, belly and pelvis."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ct2pet.phantom.patient import Patient
from ct2pet.phantom.shapes import EVERYWHERE, Loft, Point, Solid, capsule, ellipsoid, region
from ct2pet.phantom.sketch import Sketch
from ct2pet.phantom.surfaces import belly_of

# z, centre y, half-width, half-depth of the cavity inside muscles and ribs
_CAVITY = (
    (838, 8, 42, 40),
    (880, 2, 74, 60),
    (930, -6, 98, 66),
    (985, -12, 112, 68),
    (1050, -16, 116, 70),
    (1110, -18, 123, 75),
    (1200, -19, 134, 83),
    (1290, -15, 130, 81),
    (1340, 0, 108, 64),
    (1380, 10, 74, 45),
    (1410, 16, 38, 27),
    (1422, 18, 10, 8),
)
_SOFT = ("visceral_fat",)
# z, centre x, centre y, half-width, half-depth of the left erector spinae with the muscles beneath it, from the sacrum
# to the base of the skull
_BACK_MUSCLE = (
    (885, 16, 90, 13, 9),
    (930, 26, 88, 22, 13),
    (1000, 34, 76, 30, 18),
    (1080, 36, 73, 30, 18),
    (1160, 34, 82, 28, 15),
    (1250, 28, 83, 24, 15),
    (1350, 24, 79, 20, 15),
    (1410, 20, 60, 16, 13),
    (1480, 17, 46, 15, 13),
    (1540, 17, 50, 15, 12),
)


def cavity_of(patient: Patient) -> Loft:
    """The inside of the ribs and of the abdominal wall."""
    rows = []
    for z, cy, rx, ry in _CAVITY:
        bulge = belly_of(patient) * float(np.exp(-(((z - 1030) / 90) ** 2)))
        rows.append((z, 0.0, cy - 0.5 * bulge, rx + 0.6 * bulge, ry + 0.5 * bulge))
    return Loft(rows, power=2.3)


def diaphragm(patient: Patient, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height (reference mm) of the two domes; the right one, above the liver, is higher."""
    shift = patient.organ("lung").shift[2]
    depth = 62 * ((y + 22) / 80) ** 2
    right = 1212 - 55 * ((x + 62) / 80) ** 2
    left = 1196 - 55 * ((x - 62) / 80) ** 2
    return np.maximum(right, left) - depth + shift


def _beneath(patient: Patient, gap: float) -> Solid:
    high = (EVERYWHERE, EVERYWHERE, 1212 + patient.organ("lung").shift[2] - gap)
    return region(lambda x, y, z: z < diaphragm(patient, x, y) - gap, high=high)


def _above(patient: Patient) -> Solid:
    return region(lambda x, y, z: z > diaphragm(patient, x, y), low=(-EVERYWHERE, -EVERYWHERE, 1000))


def draw_trunk(sketch: Sketch) -> None:
    """From the cavity's fat to the organs, in painting order: later ones replace earlier ones."""
    cavity = cavity_of(sketch.patient)
    sketch.add("visceral_fat", cavity.solid())
    sketch.add("muscle", capsule((38, 48, 890), (34, 40, 1110), 17), pair=True)
    sketch.add("back_muscle", Loft(_BACK_MUSCLE, power=2.6).solid(), onto=("muscle",), pair=True)
    _draw_chest(sketch, cavity)
    _draw_upper_belly(sketch, cavity)
    _draw_kidneys(sketch)
    _draw_bowel(sketch, cavity)
    _draw_pelvis(sketch)


def _draw_chest(sketch: Sketch, cavity: Loft) -> None:
    patient = sketch.patient
    chest = ("visceral_fat", "lung", "mediastinum")
    above = cavity.solid(-2, low=1040) & _above(patient)
    size = patient.organ("mediastinum").scale
    rows = (
        (1090, 4, -16, 40, 96),
        (1240, 6, -14, 36, 94),
        (1300, 1, -8, 32, 86),
        (1360, 0, 2, 30, 66),
        (1425, 0, 6, 38, 50),
    )
    mediastinum = Loft([(z, cx, cy, rx * size, ry) for z, cx, cy, rx, ry in rows])
    sketch.add("mediastinum", above & mediastinum.solid(), onto=_SOFT, moves=True)
    sketch.add("lung", above - mediastinum.solid(), onto=_SOFT, moves=True)
    for end in ((62, 8, 1300), (70, 20, 1235), (66, -30, 1265)):  # the vessels of the hila
        sketch.add("blood", capsule((20, 6, 1275), end, 7, 4), onto=chest, moves=True, pair=True)
    heart, turn = (24, -40, 1222), (0.0, 32.0, -20.0)
    sketch.add("mediastinum", sketch.organ("heart", heart, (60, 48, 62), grow=4), onto=chest, moves=True)
    sketch.add("heart_blood", sketch.organ("heart", heart, (56, 44, 57)), onto=(*chest, "blood"), moves=True)
    left = (44, -38, 1208)
    wall = sketch.organ("heart", left, (33, 33, 46), turn=turn)
    chamber = sketch.organ("heart", (left[0] - 5, left[1], left[2] + 6), (22, 22, 38), turn=turn)
    sketch.add("myocardium", wall - chamber, onto=(*chest, "blood"), moves=True)
    _draw_vessels(sketch)
    sketch.tube("airways", [(0, -14, 1385), (0, 8, 1302)], 8.5)
    for bronchus in ([(0, 8, 1302), (30, 14, 1272)], [(30, 14, 1272), (58, 20, 1240)]):
        sketch.tube("airways", bronchus, 5.5, onto=(*chest, "blood"), pair=True)
    sketch.tube("oesophagus", [(0, 8, 1430), (4, 20, 1300), (8, 14, 1190), (24, -4, 1160)], 7, onto=(*chest, "muscle"))


def _draw_vessels(sketch: Sketch) -> None:
    onto = ("visceral_fat", "mediastinum", "lung", "muscle")
    arch: list[Point] = [(6, -24, 1255), (-6, -28, 1310), (2, -10, 1338), (18, 16, 1338), (23, 26, 1305)]
    sketch.tube("aorta", arch, 13, onto=onto)
    sketch.tube("aorta", [(23, 26, 1305), (20, 22, 1190), (10, 4, 1090), (6, -2, 985)], 11, onto=onto)
    sketch.tube("blood", [(6, -2, 985), (38, 10, 925), (62, -22, 880)], 6, onto=onto)
    sketch.tube("blood", [(-8, 0, 985), (-38, 12, 925), (-62, -20, 880)], 6.5, onto=onto)
    sketch.tube("blood", [(-12, 0, 985), (-20, 8, 1100), (-22, -4, 1185)], 11, onto=onto)
    sketch.tube("blood", [(-18, -22, 1270), (-20, -20, 1360)], 9, onto=onto)


def _draw_upper_belly(sketch: Sketch, cavity: Loft) -> None:
    patient = sketch.patient
    room = cavity.solid(-3, low=1000) & _beneath(patient, 5)
    own = patient.organ("liver")
    size, dx, phase = own.scale, own.shift[0], own.phase

    def wedge(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        edge = 1062 + 0.5 * (x + 120 - dx) + 0.22 * (y + 30) + 7 * np.sin(x / 28 + phase)
        edge = edge - 130 * (size - 1)
        return (z > edge) & (x < 72 + dx + 0.3 * (y + 40))

    liver = room & region(wedge, low=(-EVERYWHERE, -EVERYWHERE, 990))
    sketch.add("liver", liver, onto=_SOFT, moves=True)
    bile = sketch.organ("gallbladder", (-58, -52, 1086), (13, 17, 27), turn=(20.0, 0.0, 0.0))
    sketch.add("gallbladder", bile, onto=("visceral_fat", "liver"), moves=True)
    spleen = sketch.organ("spleen", (99, 22, 1122), (25, 40, 52), turn=(-15.0, -12.0, 0.0), warp=0.12)
    sketch.add("spleen", spleen & room, onto=_SOFT, moves=True)
    _draw_stomach(sketch, room)
    for start, end, r0, r1 in (((-34, -16, 1056), (4, -24, 1076), 15, 11), ((4, -24, 1076), (78, 6, 1108), 11, 8)):
        sketch.add("pancreas", capsule(start, end, r0, r1), onto=_SOFT, moves=True)
    sketch.add("adrenals", ellipsoid((36, 26, 1110), (4, 11, 14), turn=(0.0, 0.0, 25.0)), onto=_SOFT, pair=True)


def _draw_stomach(sketch: Sketch, room: Solid) -> None:
    centre, radii, turn = (60, -34, 1124), (40, 44, 60), (0.0, 28.0, 0.0)
    sketch.add("stomach_wall", sketch.organ("stomach", centre, radii, turn=turn) & room, onto=_SOFT, moves=True)
    lumen = sketch.organ("stomach", centre, radii, turn=turn, grow=-8) & room
    sketch.add("stomach_content", lumen, onto=("stomach_wall",), moves=True)
    level = centre[1] + 30 * (sketch.patient.organ("stomach").scale - 1.25)
    gas = region(lambda x, y, z: y < level, high=(EVERYWHERE, level, EVERYWHERE))  # in front of a supine patient
    sketch.add("stomach_gas", lumen & gas, onto=("stomach_content",), moves=True)


def _draw_kidneys(sketch: Sketch) -> None:
    onto = ("visceral_fat", "liver", "muscle", "spleen")
    for side, z in ((1.0, 1056.0), (-1.0, 1044.0)):
        tilt = (0.0, -12.0 * side, 20.0 * side)
        kidney = sketch.organ("kidney_cortex", (side * 64, 30, z), (25, 28, 54), turn=tilt, warp=0.08)
        sketch.add("kidney_cortex", kidney, onto=onto, moves=True)
        pelvis = sketch.organ("renal_pelvis", (side * 53, 26, z), (10, 9, 21), turn=tilt)
        sketch.add("renal_pelvis", pelvis, onto=("kidney_cortex", "visceral_fat"), moves=True)


def _draw_bowel(sketch: Sketch, cavity: Loft) -> None:
    front = -0.5 * belly_of(sketch.patient)
    inside = cavity.solid(-2)
    random = sketch.random("small_bowel")
    low, high = np.array([-78.0, -62 + front, 918.0]), np.array([78.0, -2 + front, 1046.0])
    points = [tuple(random.uniform(low, high)) for _ in range(18)]
    for start, end in pairwise(points):
        loop = capsule(start, end, float(random.uniform(10, 14)))
        sketch.add("small_bowel", loop & inside, onto=_SOFT)
    for point in points[::4]:
        sketch.add("bowel_gas", ellipsoid(point, (8, 6, 9)), onto=("small_bowel",))
    colon: list[Point] = [
        *((-88, -14, 930), (-97, -4, 1035), (-84, -46 + front, 1062)),
        *((-30, -70 + front, 1036), (30, -70 + front, 1034), (80, -46 + front, 1082), (97, 6, 1088)),
        *((100, 10, 985), (74, 4, 930), (34, -12, 915), (10, 20, 912), (0, 42, 895), (0, 40, 850)),
    ]
    random = sketch.random("colon")
    onto = ("visceral_fat", "small_bowel", "bowel_gas")
    widths = [float(w) for w in random.uniform(15, 23, len(colon))]
    for start, end, w0, w1 in zip(colon, colon[1:], widths, widths[1:]):
        sketch.add("colon", capsule(start, end, w0, w1) & inside, onto=onto)
    for start, end, w0, w1 in zip(colon, colon[1:], widths, widths[1:]):
        sketch.add("bowel_content", capsule(start, end, w0 - 5, w1 - 5), onto=("colon",))
    for start, end, w0, w1 in zip(colon, colon[1:], widths, widths[1:]):
        if random.random() < 0.55:
            up = -0.35 * min(w0, w1)
            gas = capsule((start[0], start[1] + up, start[2]), (end[0], end[1] + up, end[2]), w0 - 10, w1 - 10)
            sketch.add("colon_gas", gas, onto=("bowel_content",))


def _draw_pelvis(sketch: Sketch) -> None:
    onto = ("visceral_fat", "small_bowel", "bowel_gas", "muscle")
    if sketch.patient.sex == "female":
        sketch.add("reproductive", sketch.organ("reproductive", (0, 14, 906), (24, 19, 30)), onto=onto)
    else:
        sketch.add("reproductive", sketch.organ("reproductive", (0, 2, 846), (21, 17, 16)), onto=onto)
    bladder = sketch.organ("bladder", (0, -22, 884), (38, 31, 30))
    sketch.add("bladder", bladder, onto=(*onto, "reproductive", "colon", "bowel_content"))
