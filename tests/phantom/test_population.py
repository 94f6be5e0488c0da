from collections import Counter

import numpy as np
import pytest

from ct2pet.phantom.patient import DIAGNOSES
from ct2pet.phantom.population import make_patient
from ct2pet.phantom.tissues import PART_OF, TISSUES


def test_a_phantom_patient_is_determined_by_its_seed(patients):
    assert make_patient(7) == patients[7]
    assert len({(p.height_mm, p.fat, p.suv["liver"]) for p in patients}) == len(patients)


def test_patients_differ_in_all_that_matters(patients):
    for values in ([p.sex for p in patients], [p.arms for p in patients], [p.field_of_view for p in patients]):
        assert min(Counter(values).values()) >= 5
    assert len({p.diagnosis for p in patients}) == len(DIAGNOSES)
    assert 120 < np.ptp([p.height_mm for p in patients]) < 600


def test_only_patients_with_a_diagnosis_have_lesions(patients):
    for patient in patients:
        if patient.diagnosis == "negative":
            assert not patient.lesions
    assert np.mean([len(p.lesions) > 0 for p in patients if p.diagnosis != "negative"]) > 0.8


def test_uptake_spreads_about_the_table_and_stays_positive(patients):
    for tissue in TISSUES:
        values = np.array([patient.suv[tissue.name] for patient in patients])
        assert (values > 0).all()
        if tissue.name not in ("lung", "tonsils"):
            assert np.median(values) == pytest.approx(tissue.suv, rel=0.1 + 0.5 * tissue.suv_spread)
    livers = [patient.suv["liver"] for patient in patients]
    assert 0.1 < np.std(np.log(livers)) < 0.4


def test_dense_lungs_and_heavy_patients_take_up_more(patients):
    lungs = np.array([(patient.hu["lung"], patient.suv["lung"]) for patient in patients])
    assert np.corrcoef(lungs.T)[0, 1] > 0.4
    bmi = [patient.weight_kg / (patient.height_mm / 1000) ** 2 for patient in patients]
    assert np.corrcoef(bmi, [np.mean(list(patient.suv.values())) for patient in patients])[0, 1] > 0.2
    assert np.corrcoef(bmi, [patient.fat for patient in patients])[0, 1] > 0.8


def test_bones_thin_with_age(patients):
    ages = [patient.age for patient in patients]
    assert np.corrcoef(ages, [patient.hu["marrow"] for patient in patients])[0, 1] < -0.3


def test_parts_of_a_tissue_have_its_values_in_every_patient(patients):
    for patient in patients:
        for part, whole in PART_OF.items():
            assert patient.hu[part] == patient.hu[whole]
            assert patient.suv[part] == patient.suv[whole]
