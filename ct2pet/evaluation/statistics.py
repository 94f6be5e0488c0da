"""Statistics of numbers by case: descriptions, and tests of the difference between two methods.

Undefined numbers (None, NaN, infinite) are ignored; every result has its number of cases.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri

SEED = 2503
NUM_RESAMPLES = 2000
LEAST_CASES = 6  # Wilcoxon's two-tailed test of five pairs has p >= 0.0625, and a bootstrap is less reliable

Interval = list[float]
Value = float | None


def describe(values: Sequence[Value], *, seed: int = SEED) -> dict[str, float | int | Interval | None]:
    """``mean``, its standard error ``se``, ``n``, ``median``, the quartiles ``q25`` and ``q75``, and ``ci95``: the
    bootstrap interval [low, high] of the mean. ``se`` is None below two values, ``ci95`` below LEAST_CASES, all but
    ``n`` without any. Quartiles are linear between values (numpy's default)."""
    numbers = _existing(values)
    if not numbers.size:
        return {"mean": None, "se": None, "n": 0, "median": None, "q25": None, "q75": None, "ci95": None}
    low, middle, high = np.percentile(numbers, [25, 50, 75])
    return {
        "mean": float(numbers.mean()),
        "se": float(numbers.std(ddof=1) / math.sqrt(numbers.size)) if numbers.size > 1 else None,
        "n": int(numbers.size),
        "median": float(middle),
        "q25": float(low),
        "q75": float(high),
        "ci95": bootstrap_interval(numbers, seed=seed),
    }


def bootstrap_interval(values: Sequence[Value] | np.ndarray, *, seed: int = SEED) -> Interval | None:
    """The 95% interval [low, high] of the mean; None below LEAST_CASES values.

    Bias-corrected and accelerated (Efron, J. Am. Stat. Assoc. 82 (1987) 171), cases resampled 2000 times: the result of
    ``scipy.stats.bootstrap``, but fast enough for the thousands of intervals in a summary. For few cases it is too
    narrow, like every bootstrap.
    """
    numbers = _existing(values)
    if numbers.size < LEAST_CASES:
        return None
    if _is_constant(numbers):
        return [float(numbers.mean())] * 2
    mean = numbers.mean()
    means = numbers[_resamples(numbers.size, seed)].mean(axis=1)
    bias = ndtri(((means < mean).mean() + (means <= mean).mean()) / 2)
    skewness = ((numbers - mean) ** 3).sum() / (6 * ((numbers - mean) ** 2).sum() ** 1.5)
    ends = bias + ndtri(np.array([0.025, 0.975]))
    return [float(end) for end in np.quantile(means, ndtr(bias + ends / (1 - skewness * ends)))]


@lru_cache(maxsize=4)
def _resamples(number: int, seed: int) -> np.ndarray:
    """Indices of ``number`` cases drawn with replacement, a row for each resample: the same for all metrics."""
    return np.random.default_rng(seed).integers(0, number, (NUM_RESAMPLES, number))


@dataclass(frozen=True)
class PairedTest:
    """Two methods on the same cases: ``differences`` of pairs are the second minus the first.

    ``pairs``: cases where both have a number. ``mean``: mean difference, ``ci95``: its bootstrap interval. ``p_t``:
    two-tailed paired t-test. ``p_wilcoxon``: Wilcoxon's signed-rank test, two-tailed, pairs without a difference
    omitted. ``cohens_dz``: mean difference over its standard deviation. ``rank_biserial``: matched pairs, from -1 (the
    second is lower in every pair) to 1 (Kerby, Compr. Psychol. 3 (2014) 1).

    Undefined values are None: everything without a pair; ``cohens_dz`` below two; ``ci95``, ``p_t`` and
    ``p_wilcoxon`` below LEAST_CASES; ``p_t`` and ``cohens_dz`` where all differences are one and the same number,
    except 0: then p is 1 and both effects are 0.
    """

    pairs: int
    mean: float | None = None
    ci95: Interval | None = None
    p_t: float | None = None
    p_wilcoxon: float | None = None
    cohens_dz: float | None = None
    rank_biserial: float | None = None


def paired_test(first: Sequence[Value], second: Sequence[Value], *, seed: int = SEED) -> PairedTest:
    """Test whether the second method's numbers differ from the first's, case by case."""
    pairs_of_numbers = np.array([pair for pair in zip(first, second, strict=True) if all(map(_exists, pair))], float)
    differences = np.diff(pairs_of_numbers.reshape(-1, 2))[:, 0]
    if not differences.size:
        return PairedTest(0)
    pairs, mean, effect = differences.size, float(differences.mean()), rank_biserial(differences)
    if pairs < LEAST_CASES:
        scatter = 0.0 if pairs < 2 or _is_constant(differences) else float(differences.std(ddof=1))
        return PairedTest(pairs, mean, cohens_dz=mean / scatter if scatter else None, rank_biserial=effect)
    interval = bootstrap_interval(differences, seed=seed)
    if not differences.any():
        return PairedTest(pairs, 0.0, interval, 1.0, 1.0, 0.0, 0.0)
    wilcoxon = _wilcoxon(differences)
    if _is_constant(differences):  # all of the scatter is rounding
        return PairedTest(pairs, mean, interval, None, wilcoxon, None, effect)
    from scipy import stats  # loading it takes as long as a whole evaluation of a small case

    p_t = float(stats.ttest_1samp(differences, 0.0).pvalue)
    return PairedTest(pairs, mean, interval, p_t, wilcoxon, float(mean / differences.std(ddof=1)), effect)


def rank_biserial(differences: np.ndarray) -> float:
    """(favourable - unfavourable) / all ranks of the sizes of the differences, differences of 0 omitted; 0 without
    any."""
    different = differences[differences != 0]
    if not different.size:
        return 0.0
    from scipy import stats

    ranks = stats.rankdata(np.abs(different))
    return float((ranks * np.sign(different)).sum() / ranks.sum())


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number by Holm's step-down method (Scand. J. Stat. 6 (1979) 65); None remains None
    and is not counted."""
    known = [index for index, p in enumerate(p_values) if p is not None]
    known.sort(key=lambda index: p_values[index] or 0.0)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * (p_values[index] or 0.0)))
        corrected[index] = largest
    return corrected


def _wilcoxon(differences: np.ndarray) -> float:
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # older versions of scipy warn of few pairs and of ties
        return float(stats.wilcoxon(differences).pvalue)


def _existing(values: Sequence[Value] | np.ndarray) -> np.ndarray:
    return np.array([value for value in values if _exists(value)], dtype=float)


def _exists(value: Value) -> bool:
    return value is not None and math.isfinite(value)


def _is_constant(numbers: np.ndarray) -> bool:
    """Whether all numbers are equal except for rounding."""
    return bool(np.ptp(numbers) <= 1e-12 * np.abs(numbers).max())
