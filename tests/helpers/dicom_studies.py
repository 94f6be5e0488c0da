"""Whole studies for tests of the conversion, and the conversion of a folder of them."""

import csv

import numpy as np
from dicom_files import CT_GRID, PET_GRID, Study, ct_series, pet_series, write

from ct2pet.conversion import convert_dicom

FACTOR = 70000 / 350e6 * 2 ** (3600 / 6586.2)  # weight, dose and one hour between injection and scan


def study_of(patient="PAT1", seed=0, **study):
    """Slices of CT and PET that look like a patient enough for the integrity check, and differ by seed."""
    rng = np.random.default_rng([seed, *patient.encode()])
    owner = Study(patient, **study)
    return (
        ct_series(owner, array=rng.integers(-1000, 1000, CT_GRID.shape)),
        pet_series(owner, array=rng.uniform(0, 20000, PET_GRID.shape)),
    )


def write_studies(folder, *studies):
    for number, (ct, pet) in enumerate(studies):
        write(ct, folder / f"exam {number}", "CT{}")
        write(pet, folder / f"exam {number}", "PT{}")
    return folder


def convert(source, **options):
    return convert_dicom(source, 1, "CLINIC", num_processes=1, **options)


def rows(dataset):
    with (dataset / "cases.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def missing_weight(patient="NOWEIGHT"):
    ct, pet = study_of(patient, weight=None)
    return ct, pet
