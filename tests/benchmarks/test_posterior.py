"""The scores of intervals, against their definitions."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats


@pytest.fixture
def posterior(monkeypatch):
    import ct2pet.models

    monkeypatch.setattr(ct2pet.models, "__path__", [*ct2pet.models.__path__])
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("posterior")


@pytest.mark.parametrize(("real", "centre", "deviation"), [(1.0, 0.5, 0.3), (-2.0, 0.5, 1.5)])
def test_the_crps_is_the_integral_of_its_definition(posterior, real, centre, deviation):
    def squared(value):
        return (stats.norm.cdf(value, centre, deviation) - (value >= real)) ** 2

    expected = sum(integrate.quad(squared, *ends)[0] for ends in ((-20, real), (real, 20)))
    _, width, crps = posterior.scores(*(np.array([number]) for number in (real, centre, deviation)))
    assert crps == pytest.approx(expected, rel=1e-5)
    assert width == pytest.approx(np.subtract(*stats.norm.interval(0.9, centre, deviation)[::-1]))


def test_intervals_with_the_true_deviation_contain_their_share_of_the_values(posterior):
    real = stats.norm.ppf((np.arange(10_000) + 0.5) / 10_000, 3.0, 2.0)
    coverage, _, _ = posterior.scores(real, np.full(10_000, 3.0), np.full(10_000, 2.0))
    assert coverage == pytest.approx(0.9, abs=2e-4)
