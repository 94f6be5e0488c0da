"""A patient of the phantom: everything that its images depend on, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

REFERENCE_HEIGHT_MM = 1700.0

DIAGNOSES: tuple[str, ...] = (
    "negative",
    "lung cancer",
    "lymphoma",
    "melanoma",
    "head and neck cancer",
    "colorectal cancer",
)

ARM_POSES: tuple[str, ...] = ("raised", "down", "left raised", "forward", "elbows out", "folded", "left across")
"""How both arms lie: beside the head; beside the hips; the left one raised and the right one down; raised in front of
the face; hands behind the head; hands on the belly; the left hand on the belly and the right arm down."""


@dataclass(frozen=True)
class Lesion:
    """An ellipsoid of tumour in patient mm (x, y, z). ``hu`` None: it looks in CT like the tissue that it grows in."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    suv: float
    hu: float | None
    host: str


@dataclass(frozen=True)
class Organ:
    """How one patient's organ differs from the reference: size, place (x, y, z in reference mm) and shape."""

    scale: float = 1.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    phase: float = 0.0


@dataclass(frozen=True)
class Patient:
    """A whole body, before it is scanned.

    ``leg_share`` and ``width`` and ``depth`` scale the reference skeleton, ``fat`` (reference mm) is the thickness of
    the fat under the skin of the trunk and ``muscle`` (reference mm) what the limbs have more or less than the
    reference. ``arms`` is "raised" or "down" or, never drawn at random, one of ``ARM_POSES``;
    ``field_of_view`` "thigh" (skull base to mid-thigh) or "whole" (head to toe). ``suv`` and ``hu`` hold each tissue's
    mean. ``lesions`` belong to the ``diagnosis``.

    Never drawn at random either: ``scoliosis_mm``, how far the spine leaves the middle line at the middle of the
    trunk; ``kyphosis_mm``, how far the head lies in front of its place; ``amputated``, "" or "left thigh" (nothing is
    left below its middle) or "left forearm"; ``hip_prosthesis``, whether the right hip is metal; ``septa``, how thick
    the sheets of fat between muscles are: the share of the muscle that is fat is about 0.8 times this number.
    """

    seed: int
    sex: str
    age: int
    height_mm: float
    weight_kg: float
    leg_share: float
    width: float
    depth: float
    fat: float
    muscle: float
    arms: str
    field_of_view: str
    diagnosis: str
    organs: Mapping[str, Organ] = field(default_factory=dict)
    suv: Mapping[str, float] = field(default_factory=dict)
    hu: Mapping[str, float] = field(default_factory=dict)
    lesions: tuple[Lesion, ...] = ()
    scoliosis_mm: float = 0.0
    kyphosis_mm: float = 0.0
    amputated: str = ""
    hip_prosthesis: bool = False
    septa: float = 0.0

    def organ(self, name: str) -> Organ:
        """How the organ differs from the reference (not at all where nothing was drawn)."""
        return self.organs.get(name, Organ())
