"""Inside the head and the neck: skull, brain, sinuses, eyes, jaws, glands and the upper airways."""

from __future__ import annotations

import numpy as np

from ct2pet.phantom.shapes import Solid, capsule, ellipsoid, region
from ct2pet.phantom.sketch import Sketch

_CENTRE = (0.0, 8.0, 1612.0)
_SKULL, _BONE = (67.0, 86.0, 79.0), 6.5


def _cranium(thinner: float) -> Solid:
    return ellipsoid(_CENTRE, tuple(r - thinner for r in _SKULL))  # type: ignore[arg-type]


def _above_base(drop: float = 0.0) -> Solid:
    """Above the base of the skull, which is higher in front, above the eyes."""
    return region(lambda x, y, z: z - (1574 - drop) + 0.32 * y > 0, low=(-200, -200, 1500))


def draw_head(sketch: Sketch) -> None:
    """All structures, from the bones inwards."""
    _draw_face(sketch)
    sketch.add("skull", _cranium(0) & _above_base(_BONE))
    _draw_brain(sketch)
    _draw_airways(sketch)
    _draw_glands(sketch)


def _draw_brain(sketch: Sketch) -> None:
    inside = ("cerebrospinal_fluid", "grey_matter", "white_matter", "skull")
    brain = _cranium(_BONE + 2.5) & _above_base(-2)
    phase = sketch.patient.organ("grey_matter").phase
    reach = np.array(_SKULL) - _BONE - 2.5

    def below_cortex(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        folds = np.sin(x / 5 + phase) * np.sin(z / 5) + np.sin(y / 6 + phase) * np.cos(z / 7)
        level = (x / reach[0]) ** 2 + ((y - 8) / reach[1]) ** 2 + ((z - 1612) / reach[2]) ** 2
        return (level < 0.64 + 0.09 * folds) & (np.abs(x) > 8) | (level < 0.3)

    sketch.add("cerebrospinal_fluid", _cranium(_BONE) & _above_base())
    sketch.add("grey_matter", brain, onto=inside)
    sketch.add("cerebrospinal_fluid", region(lambda x, y, z: (np.abs(x) < 1.2) & (z > 1630)) & brain, onto=inside)
    sketch.add("white_matter", brain & region(below_cortex), onto=inside)
    sketch.add("grey_matter", ellipsoid((17, 2, 1606), (11, 19, 13)), onto=inside, pair=True)
    ventricles = sketch.patient.organ("cerebrospinal_fluid").scale
    for start, end in (((9, -24, 1620), (12, 8, 1628)), ((12, 8, 1628), (20, 38, 1618))):
        sketch.add("cerebrospinal_fluid", capsule(start, end, 5 * ventricles), onto=inside, pair=True)
    sketch.add("cerebellum", ellipsoid((0, 52, 1573), (46, 28, 23)) & _cranium(_BONE + 1), onto=inside)
    sketch.add("white_matter", capsule((0, 20, 1592), (0, 24, 1545), 11))


def _draw_face(sketch: Sketch) -> None:
    jaw_length = 46 * sketch.patient.organ("mandible").scale

    def arch(half_width: float, length: float, back: float, thick: float, low: float, high: float) -> Solid:
        def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
            level = np.sqrt((x / half_width) ** 2 + ((y - back) / length) ** 2)
            return (level <= 1) & (level >= 1 - thick) & (y < back) & (z >= low) & (z <= high)

        return Solid((-half_width, back - length, low), (half_width, back, high), inside)

    for solid in (arch(44, jaw_length, -34, 0.22, 1489, 1509), arch(30, 30, -52, 0.25, 1510, 1524)):
        sketch.add("mandible", solid)
    sketch.add("mandible", capsule((43, -34, 1500), (50, -8, 1552), 5.5), pair=True)
    sketch.add("skull", ellipsoid((26, -56, 1549), (20, 22, 21)), pair=True)
    sketch.add("skull", ellipsoid((0, -58, 1556), (15, 30, 26)))
    sketch.add("skull", ellipsoid((31, -68, 1582), (20, 22, 20)), pair=True)
    sketch.add("skull", capsule((38, -72, 1562), (61, -20, 1566), 4), pair=True)
    sketch.add("fat", ellipsoid((31, -73, 1582), (17, 21, 17)), pair=True)
    sketch.add("muscle", capsule((29, -72, 1582), (16, -38, 1582), 6), pair=True)
    sketch.add("eyes", ellipsoid((31, -76, 1582), (12, 12, 12)), pair=True)
    sketch.add("skull", ellipsoid((58, 20, 1556), (10, 18, 14)), pair=True)


def _draw_airways(sketch: Sketch) -> None:
    size = sketch.patient.organ("sinuses").scale
    for centre, radii in (((26, -57, 1549), (16, 17, 17)), ((7, -52, 1573), (5, 17, 8)), ((9, -78, 1606), (9, 5, 10))):
        solid = ellipsoid(centre, tuple(r * size for r in radii))  # type: ignore[arg-type]
        sketch.add("sinuses", solid, pair=True)
    sketch.add("sinuses", ellipsoid((0, -18, 1563), (12, 11, 9)))
    sketch.add("sinuses", ellipsoid((60, 22, 1554), (5, 9, 8)), pair=True)
    sketch.add("airways", ellipsoid((6, -62, 1546), (4, 30, 17)), pair=True)
    sketch.tube("airways", [(0, -20, 1545), (0, -8, 1520), (0, -9, 1482)], 8)
    sketch.tube("airways", [(0, -16, 1482), (0, -23, 1440), (0, -14, 1385)], 8.5)


def _draw_glands(sketch: Sketch) -> None:
    soft = ("muscle", "fat", "skin", "mediastinum")
    sketch.add("salivary_glands", sketch.organ("salivary_glands", (51, 4, 1528), (9, 16, 23)), onto=soft, pair=True)
    sketch.add("salivary_glands", sketch.organ("salivary_glands", (27, -30, 1488), (9, 14, 10)), onto=soft, pair=True)
    sketch.add("tonsils", sketch.organ("tonsils", (16, -10, 1512), (6, 8, 12)), onto=soft, pair=True)
    sketch.add("thyroid", sketch.organ("thyroid", (18, -22, 1424), (8, 10, 21)), onto=soft, pair=True)
    sketch.add("blood", capsule((24, 0, 1400), (28, 2, 1525), 5), onto=soft, pair=True)
