"""The bones, their marrow and the spinal cord."""

from __future__ import annotations

import numpy as np

from ct2pet.phantom.patient import Patient
from ct2pet.phantom.shapes import EVERYWHERE, Loft, Solid, capsule, ellipsoid, region
from ct2pet.phantom.sketch import Sketch
from ct2pet.phantom.surfaces import arm_of
from ct2pet.phantom.trunk import cavity_of

# z, centre y, radius of the vertebral bodies
_VERTEBRAE = (
    (935, 46, 25),
    (985, 34, 23),
    (1040, 29, 22),
    (1110, 34, 20),
    (1200, 42, 17),
    (1290, 42, 15),
    (1370, 36, 12),
    (1430, 22, 9.5),
    (1500, 15, 8.5),
    (1562, 18, 8.5),
)
_RIB_PITCH, _RIB_SLOPE = 24.5, 0.42


def draw_skeleton(sketch: Sketch) -> None:
    """Painted over all soft tissues: trunk first, then the limbs."""
    _draw_ribs(sketch)
    _draw_spine(sketch)
    _draw_shoulders(sketch)
    _draw_pelvis(sketch)
    _draw_arms(sketch)
    _draw_legs(sketch)


def _body(grow: float = 0.0, behind: float = 0.0, width: float = 1.0) -> Loft:
    """The column of vertebral bodies, or a smaller or shifted copy of it."""
    rows = [(z, 0.0, cy + (r + 8 if behind else 0), r * width + grow, r + grow) for z, cy, r in _VERTEBRAE]
    return Loft(rows, power=2.4)


def _rhythm(z: np.ndarray) -> np.ndarray:
    """The count of vertebrae up to ``z``: 34 mm apart in the lumbar spine, 17 mm in the neck."""
    return np.interp(z, [935, 1110, 1400, 1562], [0, 5.2, 17, 25.5]).astype(np.float32)


def _draw_spine(sketch: Sketch) -> None:
    arch = Loft([(z, 0.0, cy + r + 8, 13, 11) for z, cy, r in _VERTEBRAE])
    spines = Loft([(z, 0.0, cy + r + 24, 3.5, 13 if z < 1400 else 8) for z, cy, r in _VERTEBRAE])
    sides = Loft([(z, 0.0, cy + r + 8, 30 if z < 1400 else 20, 5) for z, cy, r in _VERTEBRAE], power=3)

    def within(low: float, high: float) -> Solid:
        return region(lambda x, y, z: (_rhythm(z) % 1 > low) & (_rhythm(z) % 1 < high))

    sketch.add("spine", sides.solid() & within(0.4, 0.75))
    sketch.add("spine", spines.solid() & within(0.15, 0.7))
    sketch.add("spine", arch.solid())
    sketch.add("spine", _body(width=1.15).solid())
    sketch.add("vertebral_marrow", _body(-3, width=1.15).solid() & within(0.24, 0.94))
    sketch.add("discs", _body(width=1.15).solid() & within(-1, 0.18))
    sacrum = Loft([(868, 0, 66, 8, 6), (900, 0, 70, 26, 11), (945, 0, 56, 48, 18), (965, 0, 48, 44, 22)], power=2.4)
    sketch.add("sacrum", sacrum.solid())
    sketch.add("sacral_marrow", sacrum.solid(-4))
    cord = Loft([(z, 0.0, cy + r + 8, 6.5, 6) for z, cy, r in _VERTEBRAE])
    sketch.add("spinal_cord", cord.solid(low=930))


def _shell(patient: Patient, inner: float, outer: float, low: float, high: float) -> Solid:
    cavity = cavity_of(patient)
    return cavity.solid(outer, low=low, high=high) - cavity.solid(inner)


def _draw_ribs(sketch: Sketch) -> None:
    def bars(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        count = (z + _RIB_SLOPE * (64 - y) - 1112) / _RIB_PITCH
        front = (y < -35) & (np.abs(x) < 34 + 0.28 * np.maximum(0, 1290 - z))
        return (count > 0) & (count < 12) & (count % 1 < 0.42) & ~front

    shell = _shell(sketch.patient, 0.5, 8, 1060, 1408)
    sketch.add("ribs", shell & region(bars), onto=("muscle", "visceral_fat", "fat"))
    sternum = Loft(
        [
            (1228, 0, -103, 9, 4),
            (1245, 0, -103, 16, 6),
            (1290, 0, -99, 16, 6),
            (1345, 0, -70, 19, 7),
            (1374, 0, -50, 24, 8),
        ]
    )
    sketch.add("sternum", sternum.solid())


def _draw_shoulders(sketch: Sketch) -> None:
    blade = ellipsoid((106, 74, 1318), (42, 5, 68), turn=(8.0, 0.0, 24.0))
    sketch.add("shoulder_girdle", blade, pair=True)
    sketch.add("shoulder_girdle", capsule((80, 74, 1352), (150, 34, 1398), 6), pair=True)
    sketch.add("clavicle", capsule((16, -50, 1374), (72, -30, 1396), 6), pair=True)
    sketch.add("clavicle", capsule((72, -30, 1396), (148, 18, 1402), 6), pair=True)
    sketch.add("shoulder_girdle", ellipsoid((134, 22, 1370), (9, 15, 18)), pair=True)


def _draw_pelvis(sketch: Sketch) -> None:
    def wing(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (
            (np.abs(x) > 42) & (z < 1016 - 0.014 * (y - 2) ** 2) & (z > 905) & (y > -62 + 0.5 * (1000 - z)) & (y < 66)
        )

    low, high = (-EVERYWHERE, -EVERYWHERE, 900), (EVERYWHERE, EVERYWHERE, 1020)
    sketch.add("pelvis", _shell(sketch.patient, 2, 13, 900, 1020) & region(wing, low, high))  # type: ignore[arg-type]
    sketch.add("pelvic_marrow", _shell(sketch.patient, 5, 10, 900, 1020) & region(wing, low, high), onto=("pelvis",))  # type: ignore[arg-type]
    for start, end, r in (
        ((84, 22, 905), (92, 30, 925), 20),
        ((80, 36, 880), (58, 44, 822), 13),
        ((76, -14, 890), (8, -46, 862), 9),
        ((8, -44, 858), (56, 38, 822), 7),
    ):
        sketch.add("pelvis", capsule(start, end, r), pair=True)  # type: ignore[arg-type]
    sketch.add("pelvic_marrow", capsule((84, 22, 905), (92, 30, 925), 15), onto=("pelvis",), pair=True)
    sketch.add("pelvis", ellipsoid((86, 8, 888), (33, 33, 33)), pair=True)
    sketch.add("discs", ellipsoid((90, 6, 884), (27, 27, 27)), pair=True)


def _draw_arms(sketch: Sketch) -> None:
    for left in (True, False):
        arm = arm_of(sketch.patient, left=left)
        (ex, ey, ez), (wx, wy, wz), (fx, fy, fz) = arm.elbow, arm.wrist, arm.fingers

        def add(tissue: str, solid: Solid, *onto: str, left: bool = left) -> None:
            sketch.add(tissue, solid if left else solid.mirrored(), onto=onto or None)

        add("humerus", ellipsoid(arm.shoulder, (21, 21, 21)))
        add("marrow", ellipsoid(arm.shoulder, (15, 15, 15)), "humerus")
        add("humerus", capsule(arm.shoulder, arm.elbow, 11), "muscle", "fat", "skin")
        add("yellow_marrow", capsule(arm.shoulder, arm.elbow, 5), "humerus")
        for side in (-9, 9):
            add("forearm_bones", capsule((ex, ey + side, ez), (wx, wy + side, wz), 7, 6))
            add("yellow_marrow", capsule((ex, ey + side, ez), (wx, wy + side, wz), 2.5), "forearm_bones")
        for side in (-10, -3, 4, 11):
            add("forearm_bones", capsule((wx, wy + side, wz), (fx, fy + 0.6 * side, fz), 3.5, 3))


def _draw_legs(sketch: Sketch) -> None:
    head = (88, 8, 886)
    bones: tuple[tuple[str, Solid], ...] = (
        ("femur", ellipsoid(head, (23, 23, 23))),
        ("femur", capsule(head, (120, 14, 850), 14)),
        ("femur", ellipsoid((122, 16, 848), (17, 19, 24))),
        ("femur", capsule((118, 12, 838), (98, 4, 500), 13.5, 15)),
        ("femur", ellipsoid((97, 8, 486), (38, 30, 24))),
        ("lower_leg_bones", ellipsoid((97, 6, 450), (36, 26, 15))),
        ("lower_leg_bones", capsule((96, 0, 445), (92, 8, 85), 17, 11)),
        ("lower_leg_bones", capsule((124, 16, 438), (108, 20, 78), 6)),
        ("lower_leg_bones", ellipsoid((97, -42, 488), (20, 8, 21))),
        ("lower_leg_bones", ellipsoid((92, 26, 36), (15, 27, 22))),
        ("lower_leg_bones", capsule((93, 6, 52), (100, -70, 34), 11, 8)),
        ("lower_leg_bones", capsule((86, -70, 32), (94, -124, 28), 6)),
        ("lower_leg_bones", capsule((104, -66, 32), (112, -118, 28), 6)),
    )
    for tissue, solid in bones:
        sketch.add(tissue, solid, pair=True)
    red = ((88, 8, 886), (14, 14, 14)), ((108, 12, 862), (8, 8, 16))
    for centre, radii in red:
        sketch.add("femoral_marrow", ellipsoid(centre, radii), onto=("femur",), pair=True)  # type: ignore[arg-type]
    sketch.add("femoral_yellow_marrow", capsule((117, 12, 830), (98, 4, 500), 7, 8), onto=("femur",), pair=True)
    sketch.add("femoral_yellow_marrow", ellipsoid((97, 8, 486), (32, 24, 18)), onto=("femur",), pair=True)
    sketch.add("yellow_marrow", capsule((96, 0, 440), (92, 8, 95), 11, 6), onto=("lower_leg_bones",), pair=True)
