"""Statistics of classifiers against scikit-learn, SciPy and worked examples."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, roc_auc_score

from ct2pet.errors import Ct2PetError
from ct2pet.study.statistics import (
    _bootstrapped,
    _share_at,
    auc,
    auc_difference,
    auc_interval,
    classification,
    delong_test,
    gain_share_interval,
    mcnemar,
    p_of_runs,
)


def scores_of(number, seed, shift=1.0):
    random = np.random.default_rng(seed)
    labels = np.arange(number) % 2
    return labels, random.normal(shift * labels, 1).round(1)  # rounded: there are ties


@pytest.mark.parametrize("seed", range(4))
def test_auc_is_that_of_scikit_learn(seed):
    labels, scores = scores_of(50, seed)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_a_classification_counts_what_scikit_learn_counts():
    labels, scores = scores_of(60, 1)
    found = classification(labels, scores, threshold=0.5)
    counts = confusion_matrix(labels, scores >= 0.5)
    assert found.confusion == tuple(map(tuple, counts.tolist()))
    assert found.sensitivity == counts[1, 1] / counts[1].sum()
    assert found.specificity == counts[0, 0] / counts[0].sum()
    assert found.accuracy == (counts[0, 0] + counts[1, 1]) / 60


def test_one_class_alone_is_refused():
    with pytest.raises(Ct2PetError, match="both classes"):
        classification(np.ones(5, int), np.linspace(0, 1, 5))


def delong_by_placements(labels, first, second):
    """The textbook way, patient by patient (DeLong 1988), in place of one matrix."""
    placements = []
    for scores in (first, second):
        positive, negative = scores[labels == 1], scores[labels == 0]
        wins = np.array([[1.0 if p > n else 0.5 if p == n else 0.0 for n in negative] for p in positive])
        placements.append((wins.mean(axis=1), wins.mean(axis=0)))
    covariance = sum(np.cov([placements[0][k], placements[1][k]]) / len(placements[0][k]) for k in (0, 1))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    difference = placements[1][0].mean() - placements[0][0].mean()
    return difference, np.sqrt(variance), 2 * stats.norm.sf(abs(difference) / np.sqrt(variance))


def test_delongs_test_is_that_of_the_textbook():
    labels, first = scores_of(70, 2, shift=0.5)
    second = first + np.random.default_rng(9).normal(0.6 * labels, 0.7)
    found = delong_test(labels, first, second)
    expected = delong_by_placements(labels, first, second)
    assert (found.difference, found.standard_error, found.p) == pytest.approx(expected, rel=1e-9)


def test_delongs_test_keeps_its_level():
    """Two equally good classifiers differ significantly in about 5% of all studies."""
    random = np.random.default_rng(0)
    labels = np.arange(80) % 2
    p = []
    for _ in range(400):
        signal = labels + random.normal(0, 1, 80)
        p.append(delong_test(labels, signal + random.normal(0, 1, 80), signal + random.normal(0, 1, 80)).p)
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09


def test_equal_ranks_do_not_differ():
    labels, scores = scores_of(30, 4)
    found = delong_test(labels, scores, np.exp(scores))
    assert (found.difference, found.p) == (0.0, 1.0)


def test_mcnemar_is_the_exact_test_of_the_discordant_pairs():
    first = np.array([True] * 30 + [True] * 9 + [False] * 2 + [False] * 5)
    second = np.array([True] * 30 + [False] * 9 + [True] * 2 + [False] * 5)
    assert mcnemar(first, second) == pytest.approx(2 * stats.binom.cdf(2, 11, 0.5))
    assert mcnemar(first, first) == 1.0


def test_the_interval_of_one_run_is_that_of_delongs_variance():
    labels, scores = scores_of(200, 5)
    low, high = auc_interval(labels, scores)
    error = delong_by_placements(labels, np.zeros(200), scores)[1]
    assert (low, high) == pytest.approx(
        (auc(labels, scores) - 1.96 * error, auc(labels, scores) + 1.96 * error), abs=0.015
    )


def test_runs_that_scatter_widen_the_interval():
    labels, good = scores_of(200, 6, shift=2.0)
    _, poor = scores_of(200, 7, shift=0.3)
    same, mixed = (auc_interval(labels, np.array(runs)) for runs in ([good, good], [good, poor]))
    assert mixed[1] - mixed[0] > 2 * (same[1] - same[0])


@pytest.mark.parametrize("areas", [(1.0, 0.5), (1.0, 1.0, 0.5, 0.0)])
def test_the_scatter_of_few_runs_counts_fully(areas):
    """AUCs of 1, 0.5 (all scores equal) and 0 are the same for any drawn patients: what is left is the standard error
    of the mean of the runs, which is unbiased."""
    labels = np.arange(20) % 2
    bootstrapped = _bootstrapped(labels, np.array([(2 * area - 1) * labels for area in areas]), 0)
    assert bootstrapped.mean() == pytest.approx(np.mean(areas), abs=0.02)
    assert bootstrapped.std() == pytest.approx(np.std(areas, ddof=1) / np.sqrt(len(areas)), rel=0.05)


def test_a_difference_is_paired_by_patient():
    """The same noise in both arms cancels: the interval of the difference is far narrower than those of the AUCs."""
    labels, scores = scores_of(100, 8)
    found = auc_difference(labels, scores, scores + 0.3 * labels)
    assert found.mean == pytest.approx(auc(labels, scores + 0.3 * labels) - auc(labels, scores))
    assert 0 < found.ci95[0] < found.mean < found.ci95[1]
    assert found.p == pytest.approx(2 / 2001)
    own = auc_interval(labels, scores)
    assert found.ci95[1] - found.ci95[0] < 0.6 * (own[1] - own[0])
    assert auc_difference(labels, scores, scores).p == 1.0


def test_runs_that_win_and_lose_by_chance_do_not_differ():
    """On fixed patients the mean of many runs has hardly any noise of its own: the scatter of the runs has to count."""
    labels, _ = scores_of(400, 2)
    random = np.random.default_rng(4)
    strengths = random.normal(1.0, 0.4, (2, 12, 1))
    noise = random.normal(0, 1, 400)
    first, second = strengths * labels + noise
    found = auc_difference(labels, first, second)
    assert found.ci95[0] < 0 < found.ci95[1]
    assert found.p > 0.05


def test_p_values_of_runs_are_joined_by_twice_their_median():
    assert p_of_runs([0.03]) == 0.03
    assert p_of_runs([0.01, 0.02, 0.9]) == pytest.approx(0.04)
    assert p_of_runs([0.6, 0.7]) == 1.0


def test_an_arm_that_is_the_oracle_brings_all_of_its_gain_and_one_without_gain_nothing():
    labels, real = scores_of(300, 9, shift=0.3)
    oracle = real + 1.5 * labels
    assert gain_share_interval(labels, real, oracle, oracle) == pytest.approx([1.0, 1.0])
    assert gain_share_interval(labels, real, real, oracle) == pytest.approx([0.0, 0.0])
    assert gain_share_interval(labels, real, oracle, real) is None


def test_the_share_of_a_gain_is_finite_although_single_resamples_have_none():
    """As Fieller's interval of the ratio of two normal means; where the gain is always positive, the ends are
    percentiles of the share."""
    random = np.random.default_rng(0)
    possible = random.normal(2.1, 1.0, 200_000)
    gain = 0.5 * possible + random.normal(0, 0.3, 200_000)
    ends = np.array([_share_at(gain, possible, probability) for probability in (0.025, 0.975)])
    roots = np.roots([2.1**2 - 1.96**2, -2 * (1.05 * 2.1 - 1.96**2 * 0.5), 1.05**2 - 1.96**2 * (0.25 + 0.09)])
    np.testing.assert_allclose(ends, np.sort(roots), rtol=0.05)
    positive = np.abs(possible) + 0.1
    np.testing.assert_allclose(_share_at(gain, positive, 0.975), np.quantile(gain / positive, 0.975), rtol=1e-3)
