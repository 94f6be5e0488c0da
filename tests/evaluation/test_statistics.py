import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ct2pet.evaluation.statistics import bootstrap_interval, describe, holm, paired_test, rank_biserial


def test_describe_by_hand():
    found = describe([1.0, None, 2.0, 3.0, float("nan"), 6.0])
    assert found.pop("ci95") is None  # four cases are too few
    assert found == {
        "mean": 3.0,
        "se": pytest.approx(math.sqrt(14 / 3) / 2),
        "n": 4,
        "median": 2.5,
        "q25": 1.75,
        "q75": 3.75,
    }


@pytest.mark.parametrize(("values", "number"), [([], 0), ([None, float("nan"), float("inf")], 0), ([2.0, None], 1)])
def test_undefined_values_are_none(values, number):
    found = describe(values)
    assert found["n"] == number
    assert found["mean"] == (2.0 if number else None)
    assert found["median"] == (2.0 if number else None)
    assert found["se"] is None
    assert found["ci95"] is None


def test_a_constant_has_an_interval_without_width():
    assert describe([0.1] * 6)["ci95"] == pytest.approx([0.1, 0.1])
    assert describe([0.0] * 6)["ci95"] == [0.0, 0.0]


def test_the_interval_of_many_cases_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(5, 2, size=400)
    expected = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert bootstrap_interval(values) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("number", [6, 8, 50])
def test_the_interval_is_that_of_scipy(number):
    values = np.random.default_rng(number).lognormal(size=number)
    generator = np.random.default_rng(11)
    found = stats.bootstrap((values,), np.mean, n_resamples=2000, method="BCa", random_state=generator)
    assert bootstrap_interval(values, seed=11) == pytest.approx(list(found.confidence_interval), rel=1e-9)


def test_the_interval_is_seeded_and_moves_and_scales_with_the_values():
    values = np.random.default_rng(2).lognormal(size=12)
    low, high = bootstrap_interval(values)
    assert bootstrap_interval(values) == [low, high]
    assert bootstrap_interval(values, seed=7) != [low, high]
    assert bootstrap_interval(3 * values + 1) == pytest.approx([3 * low + 1, 3 * high + 1])


def test_the_interval_covers_the_mean_at_about_its_nominal_rate():
    draws = np.random.default_rng(3).normal(size=(200, 20))
    covered = sum(low <= 0 <= high for low, high in map(bootstrap_interval, draws))
    assert 0.88 <= covered / 200 <= 0.99


def exact_wilcoxon(differences):
    """Two-tailed p by trying every sign, for differences that are neither 0 nor tied."""
    ranks = stats.rankdata(np.abs(differences))
    centre = ranks.sum() / 2
    own = abs(ranks[differences > 0].sum() - centre)
    sums = [sum(chosen) for size in range(len(ranks) + 1) for chosen in itertools.combinations(ranks, size)]
    return np.mean([abs(total - centre) >= own - 1e-9 for total in sums])


def test_paired_tests_against_scipy_and_by_hand():
    generator = np.random.default_rng(4)
    first = generator.normal(1, 0.3, size=9)
    second = first - 0.1 + generator.normal(0, 0.15, size=9)
    found = paired_test([*first, None, 3.0], [*second, 2.0, float("nan")])
    differences = second - first
    assert found.pairs == 9
    assert found.mean == pytest.approx(differences.mean())
    assert found.p_t == pytest.approx(stats.ttest_rel(second, first).pvalue)
    assert found.p_wilcoxon == pytest.approx(exact_wilcoxon(differences))
    assert found.cohens_dz == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert found.ci95 == bootstrap_interval(differences)


def test_the_paired_tests_reproduce_student_s_sleep_data():
    """Student, Biometrika 6 (1908) 1: extra hours of sleep of ten patients; t = 4.06, p = 0.00283, W = 0 of 9 pairs."""
    dextro = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    laevo = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = paired_test(dextro, laevo)
    assert found.mean == pytest.approx(1.58)
    assert found.p_t == pytest.approx(0.002833, abs=1e-6)
    assert found.p_wilcoxon < 0.01
    assert found.rank_biserial == 1.0
    assert found.cohens_dz == pytest.approx(4.0621 / math.sqrt(10), abs=1e-4)


def test_the_other_way_round_only_the_sign_changes():
    first, second = [1.0, 2.0, 4.0, 3.5], [1.5, 1.0, 5.0, 3.75]
    one, other = paired_test(first, second), paired_test(second, first)
    assert (one.mean, one.cohens_dz, one.rank_biserial) == (-other.mean, -other.cohens_dz, -other.rank_biserial)
    assert (one.p_t, one.p_wilcoxon) == (other.p_t, other.p_wilcoxon)


def test_rank_biserial_by_hand():
    assert rank_biserial(np.array([1.0, 2.0, -3.0, 4.0, 0.0])) == pytest.approx((1 + 2 - 3 + 4) / 10)
    assert rank_biserial(np.array([1.0, -1.0, 3.0])) == pytest.approx(3 / 6)
    assert rank_biserial(np.zeros(3)) == 0.0


def test_below_six_pairs_nothing_is_claimed():
    """The exact two-tailed p of Wilcoxon's test of five pairs is 0.0625 at least."""
    first = np.arange(6.0)
    second = first + np.array([0.1, 0.3, 0.2, 0.5, 0.4, 0.6])
    five, six = paired_test(first[:5], second[:5]), paired_test(first, second)
    assert exact_wilcoxon((second - first)[:5]) == pytest.approx(0.0625)
    assert (five.ci95, five.p_t, five.p_wilcoxon) == (None, None, None)
    assert (five.mean, five.rank_biserial) == (pytest.approx(0.3), 1.0)
    assert five.cohens_dz == pytest.approx(0.3 / np.std([0.1, 0.3, 0.2, 0.5, 0.4], ddof=1))
    assert six.p_wilcoxon == pytest.approx(0.03125)
    assert six.ci95 is not None


def test_too_few_pairs_are_no_test():
    assert paired_test([], []).pairs == 0
    assert paired_test([None], [1.0]).mean is None
    one = paired_test([1.0], [3.0])
    assert (one.pairs, one.mean, one.rank_biserial) == (1, 2.0, 1.0)
    assert (one.ci95, one.p_t, one.p_wilcoxon, one.cohens_dz) == (None, None, None, None)


def test_without_any_difference_nothing_is_found():
    same = paired_test([1.0, 2.0, 3.0] * 2, [1.0, 2.0, 3.0] * 2)
    assert (same.mean, same.ci95, same.p_t, same.p_wilcoxon) == (0.0, [0.0, 0.0], 1.0, 1.0)
    assert (same.cohens_dz, same.rank_biserial) == (0.0, 0.0)


def test_a_difference_without_scatter_has_no_t():
    shifted = paired_test([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [0.4, 0.5, 0.6, 1.0, 1.1, 1.2])
    assert shifted.mean == pytest.approx(0.3)
    assert (shifted.p_t, shifted.cohens_dz) == (None, None)
    assert shifted.p_wilcoxon == pytest.approx(0.03125)


def test_lists_of_different_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        paired_test([1.0, 2.0], [1.0])


def test_holm_by_hand():
    """0.01 x 4, 0.02 x 3, 0.03 x 2; 0.04 x 1 would be less than the one before and is raised to it."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, None, 0.01, 0.9]) == [pytest.approx(1.0), None, pytest.approx(0.03), pytest.approx(1.0)]
    assert holm([0.0, 0.2]) == [0.0, 0.2]
    assert holm([None]) == [None]
    assert holm([]) == []


def test_holm_never_reorders_and_never_helps():
    p_values = list(np.random.default_rng(5).uniform(0, 0.2, size=30))
    corrected = holm(p_values)
    assert all(after >= before for before, after in zip(p_values, corrected))
    assert [corrected[i] for i in np.argsort(p_values)] == sorted(corrected)
    assert max(corrected) <= 1
