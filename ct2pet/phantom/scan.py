"""One patient in one scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ct2pet.phantom.acquisition import Acquisition, acquire
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import activity_map, render_ct, seen_by_pet, smooth_texture
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.scanner import Scanner
from ct2pet.volume import Grid, Volume

LESION_GROUPS = {"shown_in_CT": 1, "hidden_in_CT": 2}
"""The labels of the lesion masks: tumour with a CT number of its own, and tumour that looks like its host tissue."""


@dataclass(frozen=True)
class CaseVolumes:
    """The images of a scan, and their truth.

    ``ct`` int16 HU, ``districts`` and ``organs`` uint8 labels on the CT's grid; ``pet`` float32 SUV and ``lesions``
    uint8 (a label of ``LESION_GROUPS`` where at least half of the voxel is tumour) on the PET's. ``low_dose``: float32
    SUV on the PET's grid by dose fraction, from a subset of the counts of ``pet``.
    """

    ct: Volume
    pet: Volume
    districts: Volume
    organs: Volume
    lesions: Volume
    low_dose: Mapping[float, Volume] = field(default_factory=dict)


def scan(patient: Patient, scanner: Scanner, dose_fractions: Sequence[float] = ()) -> CaseVolumes:
    """Image a patient. The same patient and scanner always give the same voxels; a scanner that differs in the dose
    alone changes the PET's noise alone.

    ``dose_fractions``: which low-dose PETs of the same acquisition to make, as fractions of the scanner's dose; each is
    thinned from the full counts independently of the others. Raises DatasetError for a fraction that is not above 0 and
    at most 1.
    """
    anatomy = Anatomy(patient)
    organs = anatomy.organs(scanner.ct_grid(patient))
    texture = smooth_texture(organs.grid, _random(patient, "texture"))
    in_ct = anatomy.lesions(organs)
    ct_hu = render_ct(patient, scanner, organs, in_ct.array, texture, _random(patient, "ct"))
    acquisition, lesions = _acquire(anatomy, scanner)
    pets = {fraction: _thinned(acquisition, patient, fraction) for fraction in dose_fractions}
    return CaseVolumes(
        organs.with_array(ct_hu, "HU"), _pet(acquisition), anatomy.districts(organs), organs, lesions, pets
    )


def _acquire(anatomy: Anatomy, scanner: Scanner) -> tuple[Acquisition, Volume]:
    """The counts of the full-dose PET, and the lesions on its grid."""
    patient, breath = anatomy.patient, scanner.respiratory_mismatch_mm
    grid = scanner.pet_grid(patient)
    organs = anatomy.organs(scanner.activity_grid(patient), breath)
    lesions = anatomy.lesions(organs, breath)
    texture = smooth_texture(organs.grid, _random(patient, "texture"))
    activity = organs.with_array(activity_map(patient, organs.array, lesions.array, texture), "SUV")
    expected = seen_by_pet(activity, grid, scanner.psf_mm)
    acquisition = acquire(expected, grid, scanner, patient.weight_kg, _random(patient, "counts"))
    return acquisition, _on_grid(lesions, patient, grid)


def _pet(acquisition: Acquisition) -> Volume:
    return Volume(acquisition.image(), acquisition.grid, "SUV")


def _thinned(acquisition: Acquisition, patient: Patient, dose_fraction: float) -> Volume:
    return _pet(acquisition.thinned(dose_fraction, _random(patient, f"dose fraction {float(dose_fraction)!r}")))


def _on_grid(lesions: Volume, patient: Patient, grid: Grid) -> Volume:
    """The mask of the lesions (numbered from 1 in ``lesions``); a voxel has the group of most of its tumour."""
    hidden = [number for number, lesion in enumerate(patient.lesions, start=1) if lesion.hu is None]
    share = _share(lesions, lesions.array > 0, grid)
    found = (share >= 0.5).astype(np.uint8) * np.uint8(LESION_GROUPS["shown_in_CT"])
    if hidden:
        mostly_hidden = 2 * _share(lesions, np.isin(lesions.array, hidden), grid) > share
        found[(found > 0) & mostly_hidden] = LESION_GROUPS["hidden_in_CT"]
    return Volume(found, grid, "label")


def _share(volume: Volume, mask: np.ndarray, grid: Grid) -> np.ndarray:
    """The share of each voxel of ``grid`` that is inside the mask."""
    return seen_by_pet(volume.with_array(mask.astype(np.float32)), grid, 0.0)


def _random(patient: Patient, purpose: str) -> np.random.Generator:
    return np.random.default_rng([patient.seed, *purpose.encode()])
