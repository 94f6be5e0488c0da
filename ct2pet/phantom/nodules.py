"""Solitary pulmonary nodules, benign or malignant: drawn at random, placed in a phantom's lung, and scanned.

Both classes overlap in uptake, size, CT number and shape, so that no classifier can separate them. The medians follow
FDG-PET studies of solitary nodules: a threshold of SUV 2 to 2.5 separates the classes in part (Lowe VJ et al., J Clin
Oncol 1998;16:1075-1084), and a nodule is at most 30 mm in diameter by definition (Hansell DM et al., Radiology
2008;246:697-722). The spreads were chosen for this project: the best classifier by the true SUV and radius reaches an
area under the ROC curve of about 0.87, one by the SUV alone about 0.81.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import binary_erosion

from ct2pet.errors import DatasetError
from ct2pet.phantom.acquisition import acquire
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import activity_map, render_ct, seen_by_pet, smooth_texture
from ct2pet.phantom.patient import Lesion, Patient
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.scanner import CLINICAL, Scanner
from ct2pet.phantom.tissues import LABELS
from ct2pet.volume import Box, Grid, Triple, Volume

CLASSES = ("benign", "malignant")
LARGEST_DIAMETER_MM = 30.0
FIELD_MM = (60.0, 96.0, 96.0)
"""Extent (Z, Y, X) of the scanned region around the nodule."""
_SMALLEST_RADIUS_MM = 3.0
_SUV_RANGE = (0.6, 25.0)
_MARGIN_MM = 20.0  # rendered around the region and cropped: blur and filters need voxels outside of it
_SEARCH_GRID = ((40, 24, 40), (8.0, 8.0, 8.0))  # of the lungs, for the place of the nodule
_CHEST_BOTTOM = 1105.0  # reference mm
_LUNG_AROUND_MM = 4.0


@dataclass(frozen=True)
class NoduleClass:
    """How nodules of one class are distributed.

    ``suv`` and ``radius_mm`` are medians of log-normal distributions, before nodules of more than 30 mm are drawn
    again. ``hu`` is the middle of solid nodules' CT numbers; ``calcified`` and ``part_solid`` are the shares of nodules
    whose CT numbers lie in ``_CALCIFIED_HU`` and ``_PART_SOLID_HU``. ``lobes`` is the mean number of lobes on the
    surface (Poisson).
    """

    suv: float
    radius_mm: float
    hu: float
    calcified: float
    part_solid: float
    lobes: float


BENIGN = NoduleClass(suv=2.2, radius_mm=6.5, hu=40.0, calcified=0.15, part_solid=0.1, lobes=1.3)
MALIGNANT = NoduleClass(suv=5.0, radius_mm=8.9, hu=35.0, calcified=0.05, part_solid=0.2, lobes=2.0)
_DISTRIBUTIONS = dict(zip(CLASSES, (BENIGN, MALIGNANT)))
_SUV_SIGMA, _RADIUS_SIGMA, _HU_SPREAD = 0.66, 0.26, 40.0
_CALCIFIED_HU, _PART_SOLID_HU = (120.0, 350.0), (-350.0, -50.0)
_MOST_LOBES, _LOBE_RADIUS, _LOBE_DISTANCE = 5, 0.45, 0.8  # radius and distance as shares of the main ellipsoid's radius


@dataclass(frozen=True)
class Nodule:
    """The truth of one nodule: SUV, radius (mm) of the sphere of its volume, CT number, and its shape.

    ``parts`` are rows (x, y, z, a, b, c): centres and radii (mm) of the ellipsoids whose union is the nodule.
    """

    diagnosis: str
    suv: float
    radius_mm: float
    hu: float
    parts: tuple[tuple[float, ...], ...]

    @property
    def reach_mm(self) -> float:
        """The largest distance of a part of the nodule from the centre."""
        return _reach(np.array(self.parts))


def draw_nodule(diagnosis: str, random: np.random.Generator) -> Nodule:
    """A nodule of a class. Raises DatasetError for a class other than ``CLASSES``."""
    if diagnosis not in _DISTRIBUTIONS:
        raise DatasetError(f"nodules are {' or '.join(CLASSES)}, not {diagnosis!r}")
    own = _DISTRIBUTIONS[diagnosis]
    suv = own.suv * math.exp(random.normal(0, _SUV_SIGMA))
    shape = _unit_shape(own, random)
    while True:
        radius = own.radius_mm * math.exp(random.normal(0, _RADIUS_SIGMA))
        if radius >= _SMALLEST_RADIUS_MM and 2 * radius * _reach(shape) <= LARGEST_DIAMETER_MM:
            break
    kinds = ((own.hu - _HU_SPREAD, own.hu + _HU_SPREAD), _CALCIFIED_HU, _PART_SOLID_HU)
    shares = (1 - own.calcified - own.part_solid, own.calcified, own.part_solid)
    hu = random.uniform(*kinds[random.choice(3, p=shares)])
    parts = tuple(tuple(float(value) for value in row) for row in shape * radius)
    return Nodule(diagnosis, float(np.clip(suv, *_SUV_RANGE)), float(radius), float(hu), parts)


def _unit_shape(own: NoduleClass, random: np.random.Generator) -> np.ndarray:
    """The parts of a nodule whose volume is that of the unit sphere."""
    rows = [[0.0, 0.0, 0.0, *np.exp(random.normal(0, 0.12, 3))]]
    for _ in range(min(_MOST_LOBES, int(random.poisson(own.lobes)))):
        direction = random.normal(size=3)
        centre = _LOBE_DISTANCE * direction / np.linalg.norm(direction)
        rows.append([*centre, *[_LOBE_RADIUS * float(np.exp(random.normal(0, 0.15)))] * 3])
    shape = np.array(rows)
    return shape / (_volume(shape) / (4 / 3 * math.pi)) ** (1 / 3)


def _volume(parts: np.ndarray, step: float = 0.06) -> float:
    """The volume of the union of ellipsoids, by counting points ``step`` apart."""
    axis = np.arange(-_reach(parts), _reach(parts) + step, step)
    z, y, x = axis[:, None, None], axis[:, None], axis
    inside = np.zeros((len(axis),) * 3, dtype=bool)
    for cx, cy, cz, a, b, c in parts:
        inside |= ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 + ((z - cz) / c) ** 2 <= 1
    return float(inside.sum()) * step**3


def _reach(parts: np.ndarray) -> float:
    return float((np.linalg.norm(parts[:, :3], axis=1) + parts[:, 3:].max(axis=1)).max())


@dataclass(frozen=True)
class NodulePatient:
    """A patient whose only lesion is ``nodule``, at ``centre`` (x, y, z in patient mm), inside a lung."""

    patient: Patient
    nodule: Nodule
    centre: Triple


def make_nodule_patient(seed: int, diagnosis: str) -> NodulePatient:
    """The patient of a seed with a nodule of a class: always the same one. The body does not depend on the class."""
    body = make_patient(seed)
    nodule = draw_nodule(diagnosis, np.random.default_rng([seed, *b"nodule"]))
    centre = _place(body, nodule.reach_mm + _LUNG_AROUND_MM, np.random.default_rng([seed, *b"place"]))
    lesions = tuple(
        Lesion(_shifted(centre, part[:3]), (part[3], part[4], part[5]), nodule.suv, nodule.hu, "lung")
        for part in nodule.parts
    )
    return NodulePatient(replace(body, diagnosis=diagnosis, lesions=lesions), nodule, centre)


def _shifted(centre: Triple, offset: Sequence[float]) -> Triple:
    return tuple(c + o for c, o in zip(centre, offset))  # type: ignore[return-value]


def _place(body: Patient, distance_mm: float, random: np.random.Generator) -> Triple:
    """A point of the lungs with a distance of ``distance_mm`` to every other tissue; a smaller distance where no point
    has it."""
    anatomy = Anatomy(body)
    shape, spacing = _SEARCH_GRID
    low = float(anatomy.frame.z_from_reference(_CHEST_BOTTOM))
    grid = Grid(shape, spacing, (-156.0, -110.0, low))
    lung = anatomy.organs(grid).array == LABELS["lung"]
    steps = max(1, round(distance_mm / spacing[0]))
    inside = lung
    while steps and not (inside := binary_erosion(lung, iterations=steps)).any():
        steps -= 1
    voxels = np.argwhere(inside)
    index = voxels[random.integers(len(voxels))][::-1]
    centre = np.array(grid.origin) + index * np.array(spacing) + random.uniform(-4, 4, 3)
    return tuple(centre.tolist())


@dataclass(frozen=True)
class NoduleVolumes:
    """A scan of the region around a nodule.

    ``ct`` int16 HU on the CT's grid; ``pet`` float32 SUV and ``lesion`` uint8 (1 where at least half of the voxel is
    nodule) on the PET's.
    """

    ct: Volume
    pet: Volume
    lesion: Volume


def scan_nodule(case: NodulePatient, scanner: Scanner = CLINICAL) -> NoduleVolumes:
    """Image the region of ``FIELD_MM`` around the nodule as ``phantom.scan`` images a body: the same tissues, blur and
    noise. The same case and scanner always give the same voxels."""
    anatomy, weight = Anatomy(case.patient), case.patient.weight_kg
    ct_grid, ct_box = _region(case.centre, scanner.ct_spacing)
    pet_grid, pet_box = _region(case.centre, scanner.pet_spacing)
    organs = anatomy.organs(ct_grid)
    texture = smooth_texture(ct_grid, _random(case, "texture"))
    ct_hu = render_ct(case.patient, scanner, organs, anatomy.lesions(organs).array, texture, _random(case, "ct noise"))
    fine = tuple(max(1.0, min(2.0, pet / 2)) for pet in scanner.pet_spacing)
    organs_seen = anatomy.organs(_region(case.centre, fine)[0])  # type: ignore[arg-type]
    nodule = anatomy.lesions(organs_seen)
    texture = smooth_texture(organs_seen.grid, _random(case, "texture"))
    activity = organs_seen.with_array(activity_map(case.patient, organs_seen.array, nodule.array, texture), "SUV")
    expected = seen_by_pet(activity, pet_grid, scanner.psf_mm)
    pet_suv = acquire(expected, pet_grid, scanner, weight, _random(case, "counts")).image()
    share = seen_by_pet(nodule.with_array((nodule.array > 0).astype(np.float32)), pet_grid, 0.0)
    return NoduleVolumes(
        Volume(ct_hu, ct_grid, "HU").crop(ct_box),
        Volume(pet_suv, pet_grid, "SUV").crop(pet_box),
        Volume((share >= 0.5).astype(np.uint8), pet_grid, "label").crop(pet_box),
    )


def _region(centre: Triple, spacing: Triple) -> tuple[Grid, Box]:
    """The grid of the region with its margin, and the box of the region in it. The nodule's centre is the centre of the
    middle voxel."""
    half = [math.ceil(length / 2 / step) for length, step in zip(FIELD_MM, spacing)]
    margin = [math.ceil(_MARGIN_MM / step) for step in spacing]
    shape = tuple(2 * (h + m) + 1 for h, m in zip(half, margin))
    corner = [c - (h + m) * s for c, h, m, s in zip(centre[::-1], half, margin, spacing)]
    box = Box(tuple(margin), tuple(m + 2 * h + 1 for m, h in zip(margin, half)))  # type: ignore[arg-type]
    return Grid(shape, spacing, tuple(corner[::-1])), box  # type: ignore[arg-type]


def _random(case: NodulePatient, purpose: str) -> np.random.Generator:
    return np.random.default_rng([case.patient.seed, *purpose.encode()])
