"""One patient in one scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import activity_map, count, render_ct, seen_by_pet, smooth_texture
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.scanner import Scanner
from ct2pet.volume import Grid, Volume


@dataclass(frozen=True)
class CaseVolumes:
    """What a scan gives, and the truth behind it.

    ``ct`` int16 HU, ``districts`` and ``organs`` uint8 labels on the CT's grid; ``pet`` float32 SUV and ``lesions``
    uint8 (1 where at least half of the voxel is tumour) on the PET's.
    """

    ct: Volume
    pet: Volume
    districts: Volume
    organs: Volume
    lesions: Volume


def scan(patient: Patient, scanner: Scanner) -> CaseVolumes:
    """Image a patient. The same patient and scanner always give the same voxels; a scanner that differs in the dose
    alone changes the PET's noise alone."""
    anatomy = Anatomy(patient)
    organs = anatomy.organs(scanner.ct_grid(patient))
    texture = smooth_texture(organs.grid, _random(patient, "texture"))
    in_ct = anatomy.lesions(organs)
    ct_hu = render_ct(patient, scanner, organs, in_ct.array, texture, _random(patient, "ct"))
    pet, lesions = _pet(anatomy, scanner)
    return CaseVolumes(organs.with_array(ct_hu, "HU"), pet, anatomy.districts(organs), organs, lesions)


def _pet(anatomy: Anatomy, scanner: Scanner) -> tuple[Volume, Volume]:
    patient, breath = anatomy.patient, scanner.respiratory_mismatch_mm
    grid = scanner.pet_grid(patient)
    organs = anatomy.organs(scanner.activity_grid(patient), breath)
    lesions = anatomy.lesions(organs, breath)
    texture = smooth_texture(organs.grid, _random(patient, "texture"))
    activity = organs.with_array(activity_map(patient, organs.array, lesions.array, texture), "SUV")
    expected = seen_by_pet(activity, grid, scanner.psf_mm)
    pet_suv = count(expected, grid, scanner, patient.weight_kg, _random(patient, "counts"))
    return Volume(pet_suv, grid, "SUV"), _on_grid(lesions, grid)


def _on_grid(lesions: Volume, grid: Grid) -> Volume:
    share = seen_by_pet(lesions.with_array((lesions.array > 0).astype(np.float32)), grid, 0.0)
    return Volume((share >= 0.5).astype(np.uint8), grid, "label")


def _random(patient: Patient, purpose: str) -> np.random.Generator:
    return np.random.default_rng([patient.seed, *purpose.encode()])
