"""Statistics of classifiers: performance, its uncertainty, and tests of differences.

``labels`` are 0 or 1 (1: the second class, "positive"), ``scores`` grow with the probability of class 1; one of each a
patient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.statistics import NUM_RESAMPLES, SEED, Interval

_TAIL = 0.025  # on each side of a 95% interval


@dataclass(frozen=True)
class Classification:
    """``confusion``: rows are the true classes, columns the answers. Sensitivity and specificity are shares of the
    positive and of the negative patients that were classified correctly."""

    accuracy: float
    sensitivity: float
    specificity: float
    auc: float
    confusion: tuple[tuple[int, int], tuple[int, int]]


def classification(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> Classification:
    """What a classifier reached; a patient is answered positive from ``threshold`` on. Raises Ct2PetError where a
    class has no patient."""
    _check(labels)
    answers = np.asarray(probabilities) >= threshold
    counts = [[int(((labels == true) & (answers == answer)).sum()) for answer in (0, 1)] for true in (0, 1)]
    (true_negative, false_positive), (false_negative, true_positive) = counts
    return Classification(
        (true_negative + true_positive) / len(labels),
        true_positive / (true_positive + false_negative),
        true_negative / (true_negative + false_positive),
        auc(labels, probabilities),
        ((true_negative, false_positive), (false_negative, true_positive)),
    )


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the ROC curve: the share of pairs of a positive and a negative patient in which the positive one
    has the higher score, ties counted half (Hanley and McNeil, Radiology 143 (1982) 29)."""
    _check(labels)
    positive = np.asarray(labels) == 1
    ranks = stats.rankdata(scores)
    number = positive.sum()
    return float((ranks[positive].sum() - number * (number + 1) / 2) / (number * (~positive).sum()))


def _check(labels: np.ndarray) -> None:
    if len(np.unique(labels)) != 2:
        raise Ct2PetError("patients of both classes are needed for sensitivity, specificity and AUC; there is only one")


def auc_interval(labels: np.ndarray, scores: np.ndarray, *, seed: int = SEED) -> Interval:
    """The 95% percentile bootstrap interval of the mean AUC of several runs.

    ``scores``: (runs, patients) or (patients,). Patients are resampled within each class, and the runs as well: their
    scatter (initial weights, drawn training patients) belongs to the uncertainty. One run fewer than there are is drawn
    each time, which makes the variance of the mean unbiased (Rao and Wu, J. Am. Stat. Assoc. 83 (1988) 231). With three
    runs the interval is still too narrow; a single run has no scatter, and its interval is about the patients alone.
    """
    return _interval(_bootstrapped(labels, np.atleast_2d(scores), seed))


@dataclass(frozen=True)
class AucDifference:
    """``mean``: difference of the mean AUCs, with its 95% bootstrap interval and two-sided bootstrap p-value (at least
    2 in 2001)."""

    mean: float
    ci95: Interval
    p: float


def auc_difference(labels: np.ndarray, first: np.ndarray, second: np.ndarray, *, seed: int = SEED) -> AucDifference:
    """(mean AUC of ``second``) - (mean AUC of ``first``): paired by run and by patient.

    Both are (runs, patients); run i of both shares its seed. Patients and runs are resampled as in ``auc_interval``,
    so that the answer is about new patients and newly trained networks.
    """
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    mean = np.mean([auc(labels, own) for own in second]) - np.mean([auc(labels, own) for own in first])
    differences = _bootstrapped(labels, second, seed) - _bootstrapped(labels, first, seed)
    beyond = min((differences <= 0).sum(), (differences >= 0).sum())
    return AucDifference(float(mean), _interval(differences), min(1.0, 2 * float(beyond + 1) / (NUM_RESAMPLES + 1)))


def gain_share_interval(
    labels: np.ndarray, real: np.ndarray, arm: np.ndarray, oracle: np.ndarray, *, seed: int = SEED
) -> Interval | None:
    """The 95% bootstrap interval of the share of the oracle's gain in mean AUC that an arm brings; all (runs,
    patients).

    The interval holds the shares s for which (gain of the arm) - s * (gain of the oracle) may be 0, as in Fieller's
    theorem: it is finite although the oracle's gain is 0 in single resamples, and that of the percentiles of the share
    where it is positive in all. None where the oracle's own gain is not above 0 with 97.5% probability.
    """
    base = _bootstrapped(labels, np.atleast_2d(real), seed)
    gain = _bootstrapped(labels, np.atleast_2d(arm), seed) - base
    possible = _bootstrapped(labels, np.atleast_2d(oracle), seed) - base
    if np.quantile(possible, _TAIL) <= 0:
        return None
    return [_share_at(gain, possible, probability) for probability in (_TAIL, 1 - _TAIL)]


def _share_at(gain: np.ndarray, possible: np.ndarray, probability: float) -> float:
    """The share s for which this quantile of ``gain`` - s * ``possible`` is 0."""

    def remaining(share: float) -> float:
        return float(np.quantile(gain - share * possible, probability))

    end = 1.0
    while remaining(-end) < 0 or remaining(end) > 0:
        end *= 2
    return float(optimize.brentq(remaining, -end, end, xtol=1e-13))


def _interval(values: np.ndarray) -> Interval:
    return [float(end) for end in np.quantile(values, [_TAIL, 1 - _TAIL])]


def _bootstrapped(labels: np.ndarray, scores: np.ndarray, seed: int) -> np.ndarray:
    """Mean AUC of the runs, for each of ``NUM_RESAMPLES`` resamples of runs and patients."""
    _check(labels)
    random = np.random.default_rng(seed)
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    weights = [
        random.multinomial(len(own), np.full(len(own), 1 / len(own)), NUM_RESAMPLES) for own in (positive, negative)
    ]
    areas = np.empty((len(scores), NUM_RESAMPLES))
    for run, own in enumerate(scores):
        wins = _wins(own[positive], own[negative])
        areas[run] = np.einsum("rp,rp->r", weights[0] @ wins, weights[1]) / (len(positive) * len(negative))
    drawn = max(1, len(scores) - 1)
    runs = random.multinomial(drawn, np.full(len(scores), 1 / len(scores)), NUM_RESAMPLES)
    return (runs.T * areas).sum(axis=0) / drawn


def _wins(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """(positive, negative): 1 where the positive patient has the higher score, a half where both have the same."""
    difference = positive[:, None] - negative[None, :]
    return (difference > 0) + 0.5 * (difference == 0)


@dataclass(frozen=True)
class DeLong:
    """``difference``: AUC of the second minus AUC of the first, with its standard error and two-sided p-value."""

    difference: float
    standard_error: float
    p: float


def delong_test(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> DeLong:
    """Whether two classifiers have different AUCs on the same patients (DeLong ER, DeLong DM, Clarke-Pearson DL,
    Biometrics 44 (1988) 837). p is 1 where both rank all patients alike."""
    _check(labels)
    positive = np.asarray(labels) == 1
    wins = [_wins(np.asarray(scores)[positive], np.asarray(scores)[~positive]) for scores in (first, second)]
    difference = float(wins[1].mean() - wins[0].mean())
    change = wins[1] - wins[0]
    variance = sum(float(np.var(change.mean(axis=axis), ddof=1)) / change.shape[1 - axis] for axis in (0, 1))
    if variance == 0:
        return DeLong(difference, 0.0, 1.0 if difference == 0 else 0.0)
    error = math.sqrt(variance)
    return DeLong(difference, error, float(2 * stats.norm.sf(abs(difference) / error)))


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """The exact two-sided p-value of McNemar's test (Psychometrika 12 (1947) 153): whether two classifiers are right on
    different shares of the same patients. ``first_right`` and ``second_right`` are true where each is right."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def p_of_runs(p_values: Sequence[float]) -> float:
    """One p-value of the tests of several runs on the same patients: twice their median, which is valid however the
    runs depend on each other (Meinshausen et al., J. Am. Stat. Assoc. 104 (2009) 1671); of one run its own."""
    return p_values[0] if len(p_values) == 1 else min(1.0, 2 * float(np.median(p_values)))
