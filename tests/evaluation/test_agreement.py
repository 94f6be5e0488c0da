import numpy as np
import pytest

from ct2pet.evaluation.agreement import agreement, concordance


def test_numbers_worked_by_hand():
    found = agreement([(1.0, 2.0), (2.0, 2.0), (4.0, 1.0), (None, 5.0), (3.0, None)])
    differences = np.array([1.0, 0.0, -3.0])
    assert found["n"] == 3
    assert found["bias"] == pytest.approx(-2 / 3)
    assert found["sd"] == pytest.approx(differences.std(ddof=1))
    assert found["low"] == pytest.approx(-2 / 3 - 1.96 * found["sd"])
    assert found["high"] == pytest.approx(-2 / 3 + 1.96 * found["sd"])
    assert found["ccc"] == pytest.approx(2 * (-5 / 9) / (14 / 9 + 2 / 9 + 4 / 9))


def test_concordance_is_not_correlation():
    real = np.random.default_rng(0).random(50)
    assert concordance(real, real) == pytest.approx(1.0)
    assert concordance(real, 2 * real + 1) < 0.3
    assert concordance(real, real.mean() * 2 - real) == pytest.approx(-1.0)


def test_undefined_values_are_none():
    assert agreement([]) == {"n": 0, "ccc": None, "bias": None, "sd": None, "low": None, "high": None}
    one = agreement([(1.0, 1.5)])
    assert (one["n"], one["bias"], one["sd"], one["low"], one["ccc"]) == (1, 0.5, None, None, None)
    assert agreement([(2.0, 2.0), (2.0, 2.0)])["ccc"] is None
