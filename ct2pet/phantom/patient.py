"""A patient of the phantom: all parameters that its images depend on."""

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
"""The positions of both arms: beside the head; beside the hips; the left one raised and the right one down; raised in
front of the face; hands behind the head; hands on the belly; the left hand on the belly and the right arm down."""


@dataclass(frozen=True)
class Lesion:
    """An ellipsoid of tumour in patient mm (x, y, z). ``hu`` None: it has the CT numbers of its host tissue."""

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
    the fat under the skin of the trunk and ``muscle`` (reference mm) the difference of the limbs' muscles from the
    reference. ``arms`` is "raised" or "down" or one of ``ARM_POSES``, which are never drawn at random;
    ``field_of_view`` "thigh" (skull base to mid-thigh) or "whole" (head to toe). ``suv`` and ``hu`` contain each
    tissue's mean. ``lesions`` are those of the ``diagnosis``.

    Also never drawn at random: ``scoliosis_mm``, the distance of the spine from the middle line at the middle of the
    trunk; ``kyphosis_mm``, the displacement of the head to the front; ``amputated``, "" or "left thigh" (below its
    middle) or "left forearm"; ``hip_prosthesis``, whether the right hip is metal; ``septa``, the thickness of the
    sheets of fat between muscles: about 0.8 times this number of the muscle is fat.
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
        """The difference of the organ from the reference; none where nothing was drawn."""
        return self.organs.get(name, Organ())
