"""Patients and scans that several tests look at, made once."""

import math
from dataclasses import replace

import pytest

from ct2pet.phantom import COARSE, DEMO, make_patient, scan
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.patient import Patient
from ct2pet.volume import Grid

STANDARD = Patient(
    seed=5,
    sex="male",
    age=55,
    height_mm=1700.0,
    weight_kg=72.0,
    leg_share=1.0,
    width=1.0,
    depth=1.0,
    fat=18.0,
    muscle=0.0,
    arms="raised",
    field_of_view="whole",
    diagnosis="negative",
)


@pytest.fixture(scope="session")
def standard_patient():
    """The reference body: 1700 mm, nothing varied, arms raised, head to toe."""
    return STANDARD


@pytest.fixture(scope="session")
def body_grid():
    """4 mm voxels about the whole reference body, symmetrical about its middle; z = 4 * slice - 14."""
    return Grid((506, 100, 160), (4.0, 4.0, 4.0), (-318.0, -190.0, -14.0))


@pytest.fixture(scope="session")
def organs(standard_patient, body_grid):
    """The reference body's tissues."""
    return Anatomy(standard_patient).organs(body_grid)


@pytest.fixture(scope="session")
def patients():
    """Forty patients of consecutive seeds."""
    return [make_patient(seed) for seed in range(40)]


@pytest.fixture(scope="session")
def patient_with_lesions(patients):
    return max((p for p in patients if p.field_of_view == "thigh"), key=lambda patient: len(patient.lesions))


@pytest.fixture(scope="session")
def quiet_scan(patient_with_lesions):
    """A scan at the demonstration's resolution without counting noise."""
    return scan(patient_with_lesions, replace(DEMO, dose_fraction=math.inf))


@pytest.fixture(scope="session")
def coarse_scans(patients):
    return [(patient, scan(patient, COARSE)) for patient in patients[:8]]
