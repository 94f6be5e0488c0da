"""How far a lesion that the CT shows stands out from noise and texture."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import norm

from ct2pet.phantom import COARSE, Lesion, make_patient

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("_lesion_observer")


def patient_with(*lesions):
    return replace(make_patient(3), lesions=lesions)


def lesion(contrast, radius=20.0, host="liver"):
    hu = None if contrast is None else make_patient(3).hu[host] + contrast
    return Lesion((-80.0, 0.0, 1130.0), (radius,) * 3, 6.0, hu, host)


def test_d_grows_with_contrast_and_size_and_falls_with_noise(module):
    observer = module.Observer(COARSE, (11.0, 11.0, 11.0), make_patient(3))
    faint, clear, small, hidden = lesion(30.0), lesion(60.0), lesion(30.0, radius=12.0), lesion(None)
    found = observer.lesions(patient_with(faint, clear, small, hidden))
    assert [(one.lesion, one.contrast) for one in found] == [
        (faint, pytest.approx(30.0)),
        (clear, pytest.approx(60.0)),
        (small, pytest.approx(30.0)),
    ]
    assert found[1].d > 1.5 * found[0].d > 3.0 * found[2].d / 2 > 0
    noisy = module.Observer(replace(COARSE, ct_noise_hu=5 * COARSE.ct_noise_hu), (11.0, 11.0, 11.0), make_patient(3))
    (again,) = noisy.lesions(patient_with(faint))
    assert again.d < found[0].d / 2


def test_the_share_found_follows_from_two_normal_distributions(module):
    threshold = norm.isf(1 / 1000)
    for d, expected in ((0.0, 1 / 1000), (threshold, 0.5), (threshold + 1, norm.cdf(1))):
        assert module.Observed(lesion(0.0), 0.0, d).found(1.0, 1000) == pytest.approx(expected)
