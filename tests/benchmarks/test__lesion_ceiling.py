"""The best prediction from a phantom's CT and the rules by which phantoms are made."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from ct2pet.phantom import TISSUES, Lesion, make_patient

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ceiling(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("_lesion_ceiling")


def lesion(suv, hu, host):
    return Lesion((0.0, 0.0, 1000.0), (9.0, 9.0, 9.0), suv, hu, host)


def test_the_uptake_is_the_mean_of_shown_lesions_of_a_tissue_or_of_all_where_they_are_few(ceiling):
    livers = tuple(lesion(float(suv), 40.0, "liver") for suv in (2, 4, 6, 8, 10))
    others = (lesion(20.0, 40.0, "lung"), lesion(25.0, None, "liver"))
    found = ceiling.uptake_of_shown_lesions([replace(make_patient(3), lesions=(*livers, *others))])
    assert found == {"": pytest.approx(50 / 6), "liver": 6.0}


def test_nothing_of_the_pet_is_known(ceiling):
    patient = replace(make_patient(3), lesions=(lesion(20.0, 40.0, "lung"), lesion(25.0, None, "liver")))
    warmer = replace(patient, suv={name: 3 * value for name, value in patient.suv.items()})
    found = ceiling.expected_patient(patient, {"": 5.0, "liver": 6.0})
    assert [(one.suv, one.host) for one in found.lesions] == [(5.0, "lung")], "the CT does not show the other one"
    assert ceiling.expected_patient(warmer, {"": 5.0, "liver": 6.0}) == found
    assert {*found.suv} == {tissue.name for tissue in TISSUES}


def test_the_uptake_of_tissues_is_the_mean_of_many_patients(ceiling, monkeypatch):
    monkeypatch.setattr("ct2pet.phantom.population.place_lesions", lambda patient, random: ())  # they take long
    many = [make_patient(seed) for seed in range(150)]
    for tissue in ("liver", "muscle", "fat", "lung", "spine"):
        real = sum(patient.suv[tissue] for patient in many) / len(many)
        expected = sum(ceiling.expected_patient(patient, {"": 5.0}).suv[tissue] for patient in many) / len(many)
        assert expected == pytest.approx(real, rel=0.06), tissue
