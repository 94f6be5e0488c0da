"""Solitary nodules: how well their true numbers separate the classes, and whether the scans show what was drawn."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata

from ct2pet.errors import DatasetError
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.nodules import (
    CLASSES,
    FIELD_MM,
    LARGEST_DIAMETER_MM,
    draw_nodule,
    make_nodule_patient,
    scan_nodule,
)
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.scanner import CLINICAL
from ct2pet.phantom.tissues import LABELS
from ct2pet.volume import Grid

NUMBER = 24
QUIET = replace(CLINICAL, dose_fraction=math.inf)


def auc(labels, scores):
    """The area under the ROC curve (Mann-Whitney)."""
    ranks, positive = rankdata(scores), labels == 1
    pairs = positive.sum() * (~positive).sum()
    return (ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2) / pairs


def linear_discriminant(features, labels):
    means = [features[labels == label].mean(axis=0) for label in (0, 1)]
    covariance = sum(np.cov(features[labels == label].T) for label in (0, 1))
    return features @ np.linalg.solve(covariance, means[1] - means[0])


@pytest.fixture(scope="module")
def drawn():
    """500 nodules of each class, and their labels."""
    random = np.random.default_rng(19)
    nodules = [draw_nodule(CLASSES[number % 2], random) for number in range(1000)]
    return nodules, np.arange(1000) % 2


@pytest.fixture(scope="module")
def scans():
    """Patients of both classes, scanned without counting noise."""
    patients = [make_nodule_patient(seed, CLASSES[seed % 2]) for seed in range(NUMBER)]
    return [(patient, scan_nodule(patient, QUIET)) for patient in patients]


def test_true_uptake_and_size_separate_the_classes_in_part(drawn):
    nodules, labels = drawn
    suv = np.log([nodule.suv for nodule in nodules])
    radius = np.log([nodule.radius_mm for nodule in nodules])
    assert auc(labels, suv) == pytest.approx(0.81, abs=0.03)
    both = linear_discriminant(np.stack([suv, radius], axis=1), labels)
    assert auc(labels, both) == pytest.approx(0.87, abs=0.03)


def test_medians_are_those_of_the_classes_and_all_overlaps(drawn):
    nodules, labels = drawn
    for label, (suv, radius) in enumerate([(2.2, 6.5), (5.0, 8.5)]):
        own = [nodule for nodule, its in zip(nodules, labels) if its == label]
        assert np.median([nodule.suv for nodule in own]) == pytest.approx(suv, rel=0.12)
        assert np.median([nodule.radius_mm for nodule in own]) == pytest.approx(radius, rel=0.06)
    for number in (lambda nodule: nodule.hu, lambda nodule: len(nodule.parts)):
        alone = auc(labels, np.array([number(nodule) for nodule in nodules]))
        assert 0.55 < max(alone, 1 - alone) < 0.7


def test_no_nodule_is_larger_than_30_mm(drawn):
    assert max(2 * nodule.reach_mm for nodule in drawn[0]) <= LARGEST_DIAMETER_MM


def test_the_parts_have_the_volume_of_the_drawn_radius(drawn):
    """By random points, which is not how the volume is set."""
    random = np.random.default_rng(3)
    for nodule in drawn[0][:6]:
        points = random.uniform(-nodule.reach_mm, nodule.reach_mm, (60000, 3))
        parts = np.array(nodule.parts)
        inside = ((((points[:, None] - parts[:, :3]) / parts[:, 3:]) ** 2).sum(axis=2) <= 1).any(axis=1)
        volume = inside.mean() * (2 * nodule.reach_mm) ** 3
        assert (volume * 3 / 4 / math.pi) ** (1 / 3) == pytest.approx(nodule.radius_mm, rel=0.02)


def test_the_nodule_is_in_a_lung():
    for seed in range(8):
        case = make_nodule_patient(seed, CLASSES[1])
        corner = tuple(c - 1.0 for c in case.centre)
        organs = Anatomy(case.patient).organs(Grid((3, 3, 3), (1.0, 1.0, 1.0), corner)).array
        assert (organs == LABELS["lung"]).mean() > 0.6


def test_the_mask_has_the_size_that_was_drawn(scans):
    found, true = [], []
    for patient, volumes in scans:
        volume = volumes.lesion.array.sum() * volumes.lesion.grid.voxel_ml * 1000
        found.append((volume * 3 / 4 / math.pi) ** (1 / 3))
        true.append(patient.nodule.radius_mm)
    np.testing.assert_allclose(found, true, atol=1.2)
    assert abs(np.mean(found) - np.mean(true)) < 0.4


def test_the_pet_has_the_uptake_that_was_drawn_where_the_nodule_is_large(scans):
    """Partial volume makes small nodules look cold, so that only large ones reach their SUV."""
    ratios = {}
    for patient, volumes in scans:
        hottest = volumes.pet.array[volumes.lesion.array > 0].max()
        ratios[patient.nodule.radius_mm] = hottest / patient.nodule.suv
    large = [ratio for radius, ratio in ratios.items() if radius > 9]
    small = [ratio for radius, ratio in ratios.items() if radius < 6]
    assert len(large) >= 3
    assert np.mean(large) == pytest.approx(1, abs=0.08)
    assert len(small) >= 3
    assert np.mean(small) < np.mean(large) - 0.1


def test_the_ct_shows_the_nodule_at_its_number(scans):
    for patient, volumes in scans:
        middle = tuple(n // 2 for n in volumes.ct.grid.shape)
        part = volumes.ct.array[middle[0], middle[1] - 1 : middle[1] + 2, middle[2] - 1 : middle[2] + 2]
        assert part.mean() == pytest.approx(patient.nodule.hu, abs=45)


def test_the_region_surrounds_the_nodule(scans):
    patient, volumes = scans[0]
    for volume in (volumes.ct, volumes.pet):
        low, high = volume.grid.bounds
        np.testing.assert_allclose((low + high) / 2, patient.centre, atol=1e-3)
        assert ((high - low)[::-1] >= FIELD_MM).all()
    assert volumes.lesion.grid == volumes.pet.grid


def test_the_borders_of_the_region_are_not_darker_than_its_inside():
    """Blur and filter see beyond the region: the lung at the border has the lung's uptake."""
    case = make_nodule_patient(3, CLASSES[0])
    pet = scan_nodule(case, QUIET).pet
    lung = Anatomy(case.patient).organs(pet.grid).array == LABELS["lung"]
    border = np.ones(pet.grid.shape, dtype=bool)
    border[2:-2, 2:-2, 2:-2] = False
    assert (lung & border).sum() > 50
    assert np.median(pet.array[lung & border]) == pytest.approx(case.patient.suv["lung"], rel=0.3)


def test_a_seed_gives_one_patient_and_the_class_changes_the_nodule_alone():
    first, same, other = (make_nodule_patient(5, name) for name in (CLASSES[0], CLASSES[0], CLASSES[1]))
    assert first == same
    assert other.nodule != first.nodule
    assert replace(other.patient, diagnosis="", lesions=()) == replace(first.patient, diagnosis="", lesions=())
    assert replace(make_patient(5), diagnosis="", lesions=()) == replace(first.patient, diagnosis="", lesions=())
    one, two = scan_nodule(first), scan_nodule(same)
    assert (one.pet.array == two.pet.array).all()
    assert (one.ct.array == two.ct.array).all()


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(DatasetError, match="benign or malignant, not 'unclear'"):
        draw_nodule("unclear", np.random.default_rng(0))
