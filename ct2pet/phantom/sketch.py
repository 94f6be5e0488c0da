"""The list of strokes of a body."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ct2pet.phantom.patient import Patient
from ct2pet.phantom.shapes import Point, Solid, Stroke, capsule, ellipsoid
from ct2pet.phantom.tissues import LABELS, labels_with_parts


class Sketch:
    """Strokes of one patient's body, in painting order; organs have the patient's sizes, positions and shapes."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        self.strokes: list[Stroke] = []

    def add(
        self,
        tissue: str,
        solid: Solid,
        *,
        onto: tuple[str, ...] | None = None,
        moves: bool = False,
        pair: bool = False,
    ) -> None:
        """A solid of a tissue, painted onto those tissues and their parts only (None: anywhere in the body); a ``pair``
        also right."""
        labels = tuple(LABELS.values()) if onto is None else labels_with_parts(*onto)
        for part in (solid, solid.mirrored()) if pair else (solid,):
            self.strokes.append(Stroke(LABELS[tissue], part, labels, moves))

    def organ(
        self,
        name: str,
        centre: Point,
        radii: Point,
        *,
        power: float = 2.0,
        turn: Point | None = None,
        warp: float = 0.0,
        grow: float = 0.0,
    ) -> Solid:
        """An ellipsoid as the patient has it: scaled, shifted and bent as ``patient.organs[name]`` says."""
        own = self.patient.organ(name)
        place = tuple(c + s for c, s in zip(centre, own.shift))
        size = tuple(max(1.0, r * own.scale + grow) for r in radii)
        return ellipsoid(place, size, power=power, turn=turn, warp=warp, phase=own.phase)  # type: ignore[arg-type]

    def tube(
        self,
        tissue: str,
        points: Sequence[Point],
        radius: float,
        *,
        onto: tuple[str, ...] | None = None,
        moves: bool = False,
        pair: bool = False,
    ) -> None:
        """A chain of rods through ``points``."""
        for start, end in pairwise(points):
            self.add(tissue, capsule(start, end, radius), onto=onto, moves=moves, pair=pair)

    def random(self, name: str) -> np.random.Generator:
        """Random numbers of this patient's organ, independent of those of other organs."""
        return np.random.default_rng([self.patient.seed, *name.encode()])
