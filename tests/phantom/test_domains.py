from dataclasses import replace

import numpy as np
import pytest

from ct2pet.phantom import COARSE, make_patient, make_varied_patient, scan, vary_scanner
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.patient import ARM_POSES
from ct2pet.phantom.scanner import DEMO
from ct2pet.phantom.tissues import LABELS, PART_OF, labels_with_parts
from ct2pet.volume import label_mask

SEEDS = range(60)


@pytest.fixture(scope="module")
def varied():
    return [make_varied_patient(seed) for seed in SEEDS]


def test_a_seed_always_gives_the_same_patient_and_scanner():
    assert make_varied_patient(3) == make_varied_patient(3)
    assert vary_scanner(DEMO, 3) == vary_scanner(DEMO, 3)
    assert vary_scanner(DEMO, 3) != vary_scanner(DEMO, 4)


@pytest.mark.parametrize(("values", "tissue"), [("suv", "muscle"), ("suv", "liver"), ("hu", "blood"), ("hu", "liver")])
def test_the_population_varies_more_than_that_of_one_hospital(varied, values, tissue):
    """Uptake varies by factors: of SUV, the spread of the logarithm is compared."""
    scale = np.log if values == "suv" else np.asarray
    usual = [getattr(make_patient(seed), values)[tissue] for seed in SEEDS]
    assert scale([getattr(one, values)[tissue] for one in varied]).std() > 1.5 * scale(usual).std()


def test_cohorts_have_all_postures_and_scans_with_and_without_contrast(varied):
    assert {one.arms for one in varied} >= {"raised", "down"}
    assert len({one.arms for one in varied}) > len(ARM_POSES) / 2
    blood = [one.hu["blood"] for one in varied]
    assert min(blood) < 60
    assert max(blood) > 200
    assert any(one.scoliosis_mm for one in varied)


def test_parts_of_a_tissue_have_its_values(varied):
    for patient in varied:
        assert all(patient.hu[part] == patient.hu[whole] for part, whole in PART_OF.items())
        assert all(patient.suv[part] == patient.suv[whole] for part, whole in PART_OF.items())


def test_values_stay_possible(varied):
    for patient in varied:
        assert min(patient.suv.values()) > 0
        assert max(patient.suv.values()) < 100
        assert all(-1024 <= hu <= 3071 for hu in patient.hu.values())
        assert max(radius for lesion in patient.lesions for radius in lesion.radii) <= 70 if patient.lesions else True


def test_some_patients_have_tumours_of_soft_tissue_larger_than_any_other(varied):
    largest = [max((max(lesion.radii) for lesion in one.lesions), default=0) for one in varied]
    assert max(largest) > 34  # mm: the largest of the usual population
    assert min(largest) <= 34


def test_a_varied_scanner_keeps_the_voxels_and_changes_the_noise():
    """Between seeds, the noise of a CT in the air around a patient varies by more than a factor of two."""
    patient = make_patient(1)
    noise = []
    for seed in range(4):
        scanner = vary_scanner(COARSE, seed)
        ct = scan(patient, scanner).ct
        assert ct.grid == scan(patient, COARSE).ct.grid
        noise.append(ct.array[:, :2].astype(float).std(axis=2).mean())
    assert max(noise) > 2 * min(noise)


def test_fat_between_muscles_varies_and_the_usual_population_has_none(varied):
    """The sheets are thin: of the muscle without them at most a quarter becomes fat, and nothing else changes."""
    patient = max(varied[:20], key=lambda one: one.septa)
    grid = COARSE.ct_grid(patient)
    with_septa, without = (Anatomy(one).organs(grid).array for one in (patient, replace(patient, septa=0.0)))
    changed = with_septa != without
    muscle = label_mask(without, labels_with_parts("muscle"))
    assert (with_septa[changed] == LABELS["fat"]).all()
    assert muscle[changed].all()
    assert 0.02 < changed.sum() / muscle.sum() < 0.25
    assert make_patient(3).septa == 0


def test_necrotic_centres_lie_inside_their_tumours_and_take_up_less(varied):
    found = 0
    for patient in varied:
        for one in patient.lesions:
            around = [other for other in patient.lesions if other.centre == one.centre and other.radii > one.radii]
            for tumour in around:
                found += 1
                assert one.suv < tumour.suv
                assert all(inner < outer for inner, outer in zip(one.radii, tumour.radii))
                assert patient.lesions.index(one) > patient.lesions.index(tumour)  # painted over it
    assert found > 2
