"""Whole scans: what a reader and a network must find in them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from ct2pet.errors import DatasetError
from ct2pet.phantom import COARSE, DEMO, DEMO_LOW_COUNTS, DISTRICTS, make_patient, scan
from ct2pet.phantom.frame import DIAPHRAGM, DIAPHRAGM_REACH, Frame
from ct2pet.phantom.scan import LESION_GROUPS
from ct2pet.phantom.tissues import LABELS, labels_of
from ct2pet.resampling import resample


def within(scan_, name, image, margin=1):
    """Values of ``image`` well inside an organ."""
    organs = resample(scan_.organs, image.grid, labels=True)
    inside = binary_erosion(organs.array == LABELS[name], iterations=margin)
    return image.array[inside]


def test_units_types_and_grids(coarse_scans):
    for _, case in coarse_scans:
        assert case.ct.array.dtype == np.int16
        assert case.pet.array.dtype == np.float32
        assert {case.districts.array.dtype, case.organs.array.dtype, case.lesions.array.dtype} == {np.dtype(np.uint8)}
        assert case.ct.grid == case.districts.grid == case.organs.grid != case.pet.grid == case.lesions.grid
        assert case.ct.grid.overlap(case.pet.grid) > 0.95
        assert case.ct.array.min() >= -1024
        assert case.pet.array.min() >= 0
        assert np.isfinite(case.pet.array).all()


def test_a_phantom_scan_is_determined_by_its_seed(coarse_scans):
    patient, case = coarse_scans[1]
    again = scan(make_patient(patient.seed), COARSE)
    for name in ("ct", "pet", "districts", "organs", "lesions"):
        assert (getattr(again, name).array == getattr(case, name).array).all()
    other = scan(replace(patient, seed=patient.seed + 1000), COARSE)
    assert (other.ct.array != case.ct.array).any()
    assert (other.pet.array != case.pet.array).any()


@pytest.mark.parametrize(("name", "low", "high"), [("fat", -125, -85), ("muscle", 25, 75), ("lung", -900, -700)])
def test_ct_numbers(quiet_scan, name, low, high):
    assert low < np.median(within(quiet_scan, name, quiet_scan.ct)) < high


def test_bone_is_bright_and_the_room_is_air(quiet_scan):
    bone = np.isin(quiet_scan.organs.array, labels_of("femur", "humerus", "skull"))
    assert np.percentile(quiet_scan.ct.array[bone], 90) > 600
    corner = quiet_scan.ct.array[:, :5, :5]
    assert corner.mean() == pytest.approx(-1000, abs=15)
    assert corner.std() > 1, "a CT has noise"


def test_the_couch_is_behind_the_patient(quiet_scan):
    outside = quiet_scan.organs.array == 0
    dense = np.argwhere(outside & (quiet_scan.ct.array > -500))
    body = np.argwhere(quiet_scan.districts.array == DISTRICTS["trunk"])
    back = dense[dense[:, 1] > body[:, 1].max() + 2]
    assert len(back) > 1000


@pytest.mark.parametrize("name", ["liver", "spleen", "muscle"])
def test_uptake_before_noise_is_the_patients(quiet_scan, patient_with_lesions, name):
    found = np.median(within(quiet_scan, name, quiet_scan.pet))
    assert found == pytest.approx(patient_with_lesions.suv[name], rel=0.08)


def test_hot_and_cold_organs_as_readers_know_them(quiet_scan):
    pet = quiet_scan.pet
    medians = {name: np.median(within(quiet_scan, name, pet)) for name in ("bladder", "liver", "muscle", "lung", "fat")}
    assert sorted(medians, key=medians.get, reverse=True) == ["bladder", "liver", "muscle", "lung", "fat"]


def test_lesions_are_in_the_body_and_hot(quiet_scan, patient_with_lesions):
    body = resample(quiet_scan.districts, quiet_scan.pet.grid, labels=True).array > 0
    lesions = quiet_scan.lesions.array.astype(bool)
    assert len(patient_with_lesions.lesions) >= 3
    assert lesions.any()
    assert (body[lesions]).mean() > 0.99
    assert quiet_scan.pet.array[lesions].mean() > 3 * np.median(quiet_scan.pet.array[body])


def test_the_dose_changes_the_noise_of_the_pet_and_nothing_else(patients):
    patient = patients[1]
    low, quiet = (
        scan(patient, replace(COARSE, dose_fraction=0.05)),
        scan(patient, replace(COARSE, dose_fraction=math.inf)),
    )
    full = scan(patient, COARSE)
    assert (low.ct.array == full.ct.array).all()
    assert (low.lesions.array == full.lesions.array).all()
    body = quiet.pet.array > 0.2
    error = [np.mean((case.pet.array - quiet.pet.array)[body] ** 2) for case in (low, full)]
    assert error[0] / error[1] == pytest.approx(20, rel=0.25)


def test_low_dose_pets_lie_in_the_full_dose_pet_and_do_not_depend_on_each_other(patients):
    patient = patients[1]
    alone, case = scan(patient, COARSE), scan(patient, COARSE, (1.0, 0.25, 0.05))
    assert (case.pet.array == alone.pet.array).all(), "the full dose is the same with and without the others"
    assert alone.low_dose == {}
    assert list(case.low_dose) == [1.0, 0.25, 0.05]
    assert (case.low_dose[1.0].array == case.pet.array).all()
    assert (scan(patient, COARSE, (0.05,)).low_dose[0.05].array == case.low_dose[0.05].array).all()
    quiet = scan(patient, replace(COARSE, dose_fraction=math.inf)).pet.array
    body = quiet > 0.2
    own = scan(patient, replace(COARSE, dose_fraction=0.05)).pet.array
    full, quarter, low = ((pet.array - quiet)[body] for pet in (case.pet, case.low_dose[0.25], case.low_dose[0.05]))
    assert np.corrcoef(full, quarter)[0, 1] == pytest.approx(math.sqrt(0.25), abs=0.06)
    assert np.corrcoef(full, low)[0, 1] == pytest.approx(math.sqrt(0.05), abs=0.06)
    assert np.var(low) / np.var((own - quiet)[body]) == pytest.approx(1, abs=0.2)
    for pet in case.low_dose.values():
        assert (pet.unit, pet.array.dtype, pet.grid) == ("SUV", np.float32, case.pet.grid)
        assert pet.array.min() >= 0
        assert pet.array[body].mean() == pytest.approx(case.pet.array[body].mean(), rel=0.01), "SUV do not shrink"


def test_an_impossible_dose_is_refused(patients):
    with pytest.raises(DatasetError, match="dose fraction"):
        scan(patients[1], COARSE, (0.25, 1.5))


def liver_variation(patients, scanner, dose_fraction):
    """The mean coefficient of variation (SD over mean) well inside the livers."""
    found = []
    for patient in patients:
        case = scan(replace(patient, lesions=()), scanner, (dose_fraction,))
        liver = within(case, "liver", case.low_dose[dose_fraction], margin=2)
        found.append(liver.std() / liver.mean())
    return np.mean(found)


def test_a_fifth_of_the_counts_is_as_noisy_as_a_fifth_of_the_dose(patients):
    thigh = [patient for patient in patients if patient.field_of_view == "thigh"][:3]
    usual, low = (liver_variation(thigh, scanner, 0.05) for scanner in (DEMO, DEMO_LOW_COUNTS))
    assert usual == pytest.approx(0.22, abs=0.05)
    assert low / usual == pytest.approx(math.sqrt(5), rel=0.15)


def test_a_respiratory_mismatch_moves_the_diaphragm_of_the_pet_only(patients):
    patient = patients[1]
    quiet = replace(COARSE, dose_fraction=math.inf)
    matched, moved = scan(patient, quiet), scan(patient, replace(quiet, respiratory_mismatch_mm=18.0))
    assert (matched.ct.array == moved.ct.array).all()
    grid = matched.pet.grid
    z = Frame(patient).z_to_reference(grid.origin[2] + np.arange(grid.shape[0]) * grid.spacing[0])
    difference = np.abs(matched.pet.array - moved.pet.array).max(axis=(1, 2))
    far = np.abs(z - DIAPHRAGM) > DIAPHRAGM_REACH + 40
    assert far.sum() > 10
    assert difference[far].max() < 1e-3
    assert difference[~far].max() > 0.5


def test_the_ct_explains_much_of_the_uptake(quiet_scan):
    """A network can learn from it: the mean PET per bin of HU explains much of the PET."""
    ct = resample(quiet_scan.ct, quiet_scan.pet.grid).array
    body = resample(quiet_scan.districts, quiet_scan.pet.grid, labels=True).array > 0
    bins = np.digitize(ct[body], [-700, -150, -60, 0, 30, 100, 300])
    pet = np.clip(quiet_scan.pet.array[body], 0, 4)
    explained = np.array([pet[bins == value].mean() if (bins == value).any() else 0 for value in range(8)])[bins]
    assert 1 - np.var(pet - explained) / np.var(pet) > 0.1


def test_lesions_that_the_ct_shows_have_a_label_of_their_own(quiet_scan, patient_with_lesions):
    """The label at the centre of each lesion, where a breath moves no other lesion there."""
    grid, found = quiet_scan.lesions.grid, quiet_scan.lesions.array
    expected, labels = [], []
    for lesion in patient_with_lesions.lesions:
        place = np.rint((np.array(lesion.centre) - grid.origin) / grid.spacing[::-1]).astype(int)[::-1]
        if min(lesion.radii) > 8 and found[tuple(place)]:
            expected.append(LESION_GROUPS["hidden_in_CT" if lesion.hu is None else "shown_in_CT"])
            labels.append(found[tuple(place)])
    assert labels == expected
    assert set(expected) == {1, 2}
    shown = replace(patient_with_lesions, lesions=tuple(replace(one, hu=40.0) for one in patient_with_lesions.lesions))
    every = scan(shown, replace(DEMO, dose_fraction=math.inf)).lesions.array
    assert (every == (found > 0) * LESION_GROUPS["shown_in_CT"]).all(), "groups do not change the extent"
