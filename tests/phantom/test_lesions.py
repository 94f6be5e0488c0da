"""Tumours sit where their disease puts them."""

import numpy as np

from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.lesions import SITES, lesion_rich, place_lesions
from ct2pet.phantom.patient import DIAGNOSES
from ct2pet.phantom.tissues import LABELS, labels_with_parts
from ct2pet.volume import Grid


def tissue_at(anatomy, centre):
    grid = Grid((3, 3, 3), (1.0, 1.0, 1.0), tuple(c - 1.0 for c in centre))
    return anatomy.organs(grid).array


def test_each_diagnosis_has_lesion_sites_in_known_tissues():
    assert tuple(SITES) == DIAGNOSES
    assert {site.host for sites in SITES.values() for site in sites} <= set(LABELS)


def test_lesions_lie_in_hosts_of_their_disease_inside_the_field_of_view(patients):
    near = []
    for patient in patients[:12]:
        anatomy = Anatomy(patient)
        low, high = anatomy.frame.axial_range()
        for lesion in patient.lesions:
            assert lesion.host in {site.host for site in SITES[patient.diagnosis]}
            assert low < lesion.centre[2] < high
            tissue = tissue_at(anatomy, lesion.centre)
            near.append(np.isin(tissue, labels_with_parts(lesion.host)).any())
            assert (tissue > 0).any()
    assert len(near) > 20
    assert np.mean(near) > 0.5, "the centre is at most some mm away from a voxel of the host"


def test_lesions_are_hotter_than_their_host(patients):
    for patient in patients:
        for lesion in patient.lesions:
            assert lesion.suv > 1.4 * patient.suv[lesion.host]
            assert 3 < min(lesion.radii) <= max(lesion.radii) < 40


def test_the_random_numbers_decide(patient_with_lesions):
    first, same, other = (place_lesions(patient_with_lesions, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == same != other


def test_ct_shows_some_lesions_and_hides_others(patients):
    shown = [lesion.hu is not None for patient in patients for lesion in patient.lesions]
    assert 0.2 < np.mean(shown) < 0.95


def test_patients_rich_in_lesions_have_those_of_several_diagnoses_beside_their_own(patients):
    several = []
    for patient in patients[:6]:
        rich = lesion_rich(patient)
        assert rich.lesions[: len(patient.lesions)] == patient.lesions
        assert rich == lesion_rich(patient)
        several.append(len(rich.lesions) - len(patient.lesions))
        hosts = {lesion.host for lesion in rich.lesions}
        assert not any(hosts <= {site.host for site in sites} for sites in SITES.values())
    assert np.mean(several) > 8
