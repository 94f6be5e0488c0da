"""Analytic solids, and painting them into label maps.

Lengths are reference millimetres (see ``frame``): x to the patient's left, y to the back, z to the head. A solid has a
bounding box, so that it is only evaluated on a small part of the grid, and most solids are sums of one curve per axis
(added by broadcasting), so that a voxel needs one addition and one comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

Point = tuple[float, float, float]
Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
EVERYWHERE = 1e4


@dataclass(frozen=True)
class Solid:
    """``inside(x, y, z)`` is true in the solid (the arguments broadcast against each other); the box from ``low`` to
    ``high`` (x, y, z) contains it."""

    low: Point
    high: Point
    inside: Inside

    def __and__(self, other: Solid) -> Solid:
        low = tuple(max(a, b) for a, b in zip(self.low, other.low))
        high = tuple(min(a, b) for a, b in zip(self.high, other.high))
        return Solid(low, high, lambda x, y, z: self.inside(x, y, z) & other.inside(x, y, z))  # type: ignore[arg-type]

    def __sub__(self, other: Solid) -> Solid:
        return Solid(self.low, self.high, lambda x, y, z: self.inside(x, y, z) & ~other.inside(x, y, z))

    def mirrored(self) -> Solid:
        """The same on the other side of the body."""
        low, high = (-self.high[0], *self.low[1:]), (-self.low[0], *self.high[1:])
        return Solid(low, high, lambda x, y, z: self.inside(-x, y, z))  # type: ignore[arg-type]


def region(inside: Inside, low: Point = (-EVERYWHERE,) * 3, high: Point = (EVERYWHERE,) * 3) -> Solid:
    """Any condition as a solid, to cut others with."""
    return Solid(low, high, inside)


def ellipsoid(
    centre: Point, radii: Point, *, power: float = 2.0, turn: Point | None = None, warp: float = 0.0, phase: float = 0.0
) -> Solid:
    """A superquadric |x/a|^p + |y/b|^p + |z/c|^p <= 1 (Barr 1981), turned by Euler angles (degrees, about x, y, z).

    ``warp`` bends its long axis by up to that share of its radii along x and y, starting at ``phase`` (radians).
    """
    (cx, cy, cz), (a, b, c) = centre, radii
    matrix = Rotation.from_euler("xyz", turn or (0, 0, 0), degrees=True).as_matrix()
    reach = (np.abs(matrix) @ np.array(radii) if turn else np.array(radii)) + 2 * abs(warp) * np.array([a, b, 0])

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        x, y, z = x - cx, y - cy, z - cz
        if warp:
            x, y = x + warp * a * np.sin(2.4 * z / c + phase), y + warp * b * np.sin(2.0 * z / c + 2 * phase)
        if turn:
            x, y, z = (x * matrix[0, i] + y * matrix[1, i] + z * matrix[2, i] for i in range(3))
        return _power(x / a, power) + _power(y / b, power) + _power(z / c, power) <= 1

    return Solid(tuple(np.array(centre) - reach), tuple(np.array(centre) + reach), inside)


def capsule(start: Point, end: Point, start_radius: float, end_radius: float | None = None) -> Solid:
    """A rod with round ends whose radius changes linearly between its ends."""
    end_radius = start_radius if end_radius is None else end_radius
    a, axis = np.array(start, dtype=float), np.subtract(end, start).astype(float)
    length2 = float(axis @ axis) or 1.0
    largest = max(start_radius, end_radius)

    def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        x, y, z = x - a[0], y - a[1], z - a[2]
        along = np.clip(x * (axis[0] / length2) + y * (axis[1] / length2) + z * (axis[2] / length2), 0, 1)
        radius = start_radius + (end_radius - start_radius) * along
        return (x - along * axis[0]) ** 2 + (y - along * axis[1]) ** 2 + (z - along * axis[2]) ** 2 <= radius**2

    low, high = np.minimum(start, end) - largest, np.maximum(start, end) + largest
    return Solid(tuple(low), tuple(high), inside)


class Loft:
    """A tube along z whose cross-section is a superellipse: ``sections`` are rows (z, cx, cy, rx, ry) from low to
    high, joined by monotone cubics (Fritsch and Carlson 1980), so that no bulge appears between them."""

    def __init__(self, sections: Sequence[tuple[float, float, float, float, float]], power: float = 2.0) -> None:
        table = np.array(sections, dtype=float)
        self.z, self._curves = table[:, 0], PchipInterpolator(table[:, 0], table[:, 1:], extrapolate=True)
        self._table, self.power = table, power

    def section(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """cx, cy, rx, ry at ``z`` (the end sections beyond the ends)."""
        values = self._curves(np.clip(z, self.z[0], self.z[-1])).astype(np.float32)
        return values[..., 0], values[..., 1], values[..., 2], values[..., 3]

    def level(self, x: np.ndarray, y: np.ndarray, z: np.ndarray, grow: float = 0.0) -> np.ndarray:
        """0 on the axis, 1 on the surface grown by ``grow`` mm."""
        cx, cy, rx, ry = self.section(z)
        rx, ry = np.maximum(rx + grow, 0.5), np.maximum(ry + grow, 0.5)
        return _power((x - cx) / rx, self.power) + _power((y - cy) / ry, self.power)

    def solid(self, grow: float = 0.0, low: float | None = None, high: float | None = None) -> Solid:
        """The tube, grown by ``grow`` mm, from ``low`` to ``high`` (z; the ends of its sections if not given)."""
        bottom = self.z[0] if low is None else low
        top = self.z[-1] if high is None else high
        _, cx, cy, rx, ry = self._table.T
        reach_x, reach_y = rx + max(grow, 0) + 0.5, ry + max(grow, 0) + 0.5

        def inside(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
            return (self.level(x, y, z, grow) <= 1) & ((z >= bottom) & (z <= top))

        corner = (float((cx - reach_x).min()), float((cy - reach_y).min()), float(bottom))
        return Solid(corner, (float((cx + reach_x).max()), float((cy + reach_y).max()), float(top)), inside)


def _power(u: np.ndarray, power: float) -> np.ndarray:
    return u * u if power == 2 else np.abs(u) ** np.float32(power)


@dataclass(frozen=True)
class Stroke:
    """A solid and the label that it paints, on voxels whose label is among ``onto`` (None: on any). ``moves``: whether
    it moves with the diaphragm.
    """

    label: int
    solid: Solid
    onto: tuple[int, ...] | None = None
    moves: bool = False

    def paint(self, labels: np.ndarray, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> None:
        """Paint into ``labels`` (Z, Y, X), whose voxels lie at ``x``, ``y`` and ``z`` (1D each, ascending)."""
        low, high = self.solid.low, self.solid.high
        slices = _between(z, low[2], high[2])
        if slices.start == slices.stop:  # most strokes miss most slabs
            return
        box = (slices, _between(y, low[1], high[1]), _between(x, low[0], high[0]))
        part = labels[box]
        if not part.size:
            return
        where = self.solid.inside(x[box[2]][None, None, :], y[box[1]][None, :, None], z[box[0]][:, None, None])
        if self.onto is not None:
            allowed = np.zeros(256, dtype=bool)
            allowed[list(self.onto)] = True
            where = where & allowed[part]
        np.copyto(part, self.label, where=where)


def _between(axis: np.ndarray, low: float, high: float) -> slice:
    return slice(int(axis.searchsorted(low)), int(axis.searchsorted(high, side="right")))


def paint(
    strokes: Iterable[Stroke],
    labels: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    moved_z: np.ndarray | None = None,
    slab: int = 24,
) -> None:
    """Paint all strokes in their order into ``labels`` (Z, Y, X), a slab of slices at a time (small temporaries).

    ``moved_z`` (default ``z``): the positions at which strokes that move with the diaphragm are evaluated.
    """
    moved_z = z if moved_z is None else moved_z
    for start in range(0, len(z), slab):
        part = slice(start, start + slab)
        for stroke in strokes:
            stroke.paint(labels[part], x, y, (moved_z if stroke.moves else z)[part])
