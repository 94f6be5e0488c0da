"""Which part of a patient a scanner sees, and in which voxels."""

import numpy as np
import pytest

from ct2pet.phantom import CLINICAL, COARSE, DEMO, DISTRICTS


def test_scans_to_the_thighs_and_of_the_whole_body_have_their_lengths(coarse_scans):
    lengths = {"thigh": [], "whole": []}
    for patient, case in coarse_scans:
        lengths[patient.field_of_view].append(case.ct.grid.shape[0] * case.ct.grid.spacing[0] / patient.height_mm)
        head = case.districts.array[-1] == DISTRICTS["head"]
        feet = case.districts.array[0] == DISTRICTS["legs"]
        whole = patient.field_of_view == "whole"
        assert head.any() != whole, "only a scan from the skull base cuts the head"
        assert feet.any() != whole, "only a scan to the thighs cuts the legs"
    assert np.allclose(lengths["thigh"], 0.57, atol=0.05)
    assert np.allclose(lengths["whole"], 1.02, atol=0.01)


def test_all_districts_are_in_every_field_of_view(coarse_scans):
    for _, case in coarse_scans:
        assert set(np.unique(case.districts.array)) == {0, *DISTRICTS.values()}


def test_demonstration_and_tests_stay_small(patients):
    for patient in patients:
        assert np.prod(DEMO.ct_grid(patient).shape) < 8e6
        assert np.prod(COARSE.ct_grid(patient).shape) < 1e6


@pytest.mark.parametrize("scanner", [CLINICAL, DEMO, COARSE])
def test_the_tracer_has_a_finer_grid_than_the_pet_over_its_field_of_view(patients, scanner):
    for patient in patients[:5]:
        activity, pet = scanner.activity_grid(patient), scanner.pet_grid(patient)
        assert all(fine <= coarse for fine, coarse in zip(activity.spacing, pet.spacing))
        assert np.abs(activity.bounds[0][2] - pet.bounds[0][2]) < pet.spacing[0]
        assert activity.overlap(pet) > 0.95


def test_the_clinical_grids_are_a_hospitals(patients):
    ct, pet = CLINICAL.ct_grid(patients[1]), CLINICAL.pet_grid(patients[1])
    assert ct.shape[1:] == (512, 512)
    assert ct.spacing[2] == pytest.approx(0.98, abs=0.01)
    assert ct.spacing[0] == 3.0
    assert 2 <= pet.spacing[2] <= 4.1
    assert ct.overlap(pet) > 0.99
