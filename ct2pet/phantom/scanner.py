"""Scanners: the grids of the images, their resolution and their noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ct2pet.phantom.frame import Frame
from ct2pet.phantom.patient import Patient
from ct2pet.volume import Grid, Triple

_BACK_MM = 18.0
"""The distance (mm) of the middle of the fields of view behind the middle of the body, for the table."""


@dataclass(frozen=True)
class Scanner:
    """A PET/CT. Spacings are mm (Z, Y, X), matrices voxels (Y, X), lengths mm (FWHM for resolutions).

    ``psf_mm`` is the PET's resolution and ``filter_mm`` the Gaussian filter after reconstruction, which also correlates
    the noise. ``counts`` is the number of counts of one ml of SUV 1 in a patient of 70 kg at full dose; heavier
    patients absorb more. ``dose_fraction`` scales the counts (infinity: no noise). ``respiratory_mismatch_mm`` is the
    elevation of the diaphragm in the PET relative to the CT. ``ct_noise_hu`` is the noise in the belly.
    """

    name: str
    ct_spacing: Triple
    ct_matrix: tuple[int, int]
    pet_spacing: Triple
    pet_matrix: tuple[int, int]
    psf_mm: float = 4.5
    filter_mm: float = 4.0
    counts: float = 350.0
    dose_fraction: float = 1.0
    ct_blur_mm: float = 1.2
    ct_noise_hu: float = 14.0
    respiratory_mismatch_mm: float = 0.0

    def ct_grid(self, patient: Patient) -> Grid:
        """The CT's voxels in patient mm."""
        return _grid(patient, self.ct_spacing, self.ct_matrix)

    def pet_grid(self, patient: Patient) -> Grid:
        """The PET's voxels in patient mm: the same bed, another size of voxel."""
        return _grid(patient, self.pet_spacing, self.pet_matrix)

    def activity_grid(self, patient: Patient) -> Grid:
        """The voxels of the tracer's distribution before the PET is acquired: the PET's field of view, at least as fine
        as the PET and not finer than 2 mm."""
        spacing = tuple(max(2.0, min(ct, pet / 1.6)) for ct, pet in zip(self.ct_spacing, self.pet_spacing))
        fov = [n * s for n, s in zip(self.pet_matrix, self.pet_spacing[1:])]
        reach = [min(fov[0], 420.0), min(fov[1], 640.0)]  # larger than any phantom
        matrix = tuple(math.ceil(length / step) for length, step in zip(reach, spacing[1:]))
        return _grid(patient, spacing, matrix)  # type: ignore[arg-type]


def _grid(patient: Patient, spacing: Triple, matrix: tuple[int, int]) -> Grid:
    low, high = Frame(patient).axial_range()
    shape = (round((high - low) / spacing[0]), *matrix)
    origin = (
        -(matrix[1] - 1) / 2 * spacing[2],
        _BACK_MM - (matrix[0] - 1) / 2 * spacing[1],
        low + spacing[0] / 2,
    )
    return Grid(shape, spacing, origin)


CLINICAL = Scanner("clinical", (3.0, 0.9765625, 0.9765625), (512, 512), (3.0, 4.07283, 4.07283), (168, 168))
"""Matrices and voxels as hospitals have them: CT 512 x 512 over 500 mm, PET 168 x 168 over 684 mm."""

DEMO = Scanner(
    "demo",
    (4.0, 4.0, 4.0),
    (98, 142),
    (6.5, 6.5, 6.5),
    (62, 92),
    psf_mm=5.0,
    filter_mm=5.0,
    counts=700.0,
    ct_blur_mm=3.0,
    ct_noise_hu=9.0,
)
"""Small images for the demonstration: a training with whole patients takes minutes on a laptop."""

DEMO_LOW_COUNTS = replace(DEMO, name="demo_low_counts", counts=DEMO.counts / 5)
"""DEMO with a fifth of its counts: about as noisy in the liver as CLINICAL."""

FINE = replace(
    DEMO,
    name="fine",
    ct_spacing=(3.0, 3.0, 3.0),
    ct_matrix=(131, 190),
    pet_spacing=(5.0, 5.0, 5.0),
    pet_matrix=(80, 120),
    ct_blur_mm=2.0,
)
"""Voxels of the PET between those of the demonstration and of hospitals: for models that are trained on a CPU and used
on real images."""

COARSE = Scanner(
    "coarse",
    (9.0, 8.0, 8.0),
    (48, 70),
    (11.0, 11.0, 11.0),
    (37, 54),
    psf_mm=6.0,
    counts=700.0,
    ct_blur_mm=5.0,
    ct_noise_hu=6.0,
)
"""A few thousand voxels a patient, for tests."""
