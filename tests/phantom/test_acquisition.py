"""Counts are Poisson, and so are thinned counts, which are a part of those that they were thinned from."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ct2pet.errors import DatasetError
from ct2pet.phantom import COARSE
from ct2pet.phantom.acquisition import Acquisition, acquire
from ct2pet.volume import Grid

GRID = Grid((40, 40, 40), (4.0, 4.0, 4.0))
FRACTIONS = (0.25, 0.05, 0.02)


def uniform(suv=2.0, seed=3, **scanner):
    """A scan of a uniform object by a patient of 70 kg."""
    random = np.random.default_rng(seed)
    return acquire(np.full(GRID.shape, suv, np.float32), GRID, replace(COARSE, **scanner), 70.0, random)


def thinned(acquisition, fraction, seed=11):
    return acquisition.thinned(fraction, np.random.default_rng(seed))


def noise_variance(dose):
    noisy = uniform(dose_fraction=dose).image()[5:-5, 5:-5, 5:-5]
    assert noisy.mean() == pytest.approx(2.0, rel=0.02), "noise has no bias"
    return noisy.var()


def test_counting_noise_has_a_variance_of_one_over_the_dose():
    full = noise_variance(1.0)
    assert noise_variance(0.25) / full == pytest.approx(4, rel=0.15)
    assert noise_variance(0.05) / full == pytest.approx(20, rel=0.15)
    assert noise_variance(math.inf) == pytest.approx(0, abs=1e-9)


def test_without_a_filter_the_noise_is_that_of_the_counts():
    noisy = uniform(3.0, filter_mm=0.0, counts=500.0).image()
    assert noisy.var() == pytest.approx(3.0 / (500.0 * GRID.voxel_ml), rel=0.05)


def poisson_p_value(counts, mean):
    """The p-value of a chi-square test of counts against a Poisson distribution of a known mean, and their index of
    dispersion (variance over mean, 1 for Poisson)."""
    edges = np.arange(stats.poisson.ppf(0.001, mean), stats.poisson.ppf(0.999, mean) + 1)
    observed = np.histogram(counts, [-np.inf, *(edges + 0.5), np.inf])[0]
    cumulative = stats.poisson.cdf(edges, mean)
    expected = np.diff([0.0, *cumulative, 1.0]) * counts.size
    return stats.chisquare(observed, expected).pvalue, counts.var() / counts.mean()


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_thinned_counts_are_poisson(fraction):
    full = uniform(filter_mm=0.0)
    low = thinned(full, fraction)
    mean = 2.0 * full.counts_per_suv * fraction
    p_value, dispersion = poisson_p_value(low.counts.ravel(), mean)
    assert p_value > 1e-4
    assert dispersion == pytest.approx(1, abs=0.03)


def test_the_test_of_a_distribution_refuses_others():
    """A scaled scan, and thinning of noise-free counts (binomial, too narrow), are not Poisson."""
    random, mean = np.random.default_rng(1), 4.0
    assert poisson_p_value(random.poisson(mean, 64000), mean)[0] > 1e-4
    assert poisson_p_value(random.binomial(20, 0.2, 64000), mean)[0] < 1e-9
    assert poisson_p_value(np.rint(random.poisson(5 * mean, 64000) / 5), mean)[0] < 1e-9


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_thinned_counts_correlate_with_the_full_ones_by_the_root_of_the_fraction(fraction):
    full = uniform()
    low, again = thinned(full, fraction), uniform(seed=4, dose_fraction=fraction)
    assert np.corrcoef(low.counts.ravel(), full.counts.ravel())[0, 1] == pytest.approx(math.sqrt(fraction), abs=0.02)
    assert np.corrcoef(again.counts.ravel(), full.counts.ravel())[0, 1] == pytest.approx(0, abs=0.02), "a second draw"
    inner = (slice(5, -5),) * 3  # the filter sees beyond the edge
    image = np.corrcoef(low.image()[inner].ravel(), full.image()[inner].ravel())[0, 1]
    assert image == pytest.approx(math.sqrt(fraction), abs=0.06), "the filter is the same for both"


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_thinning_has_no_bias_voxel_by_voxel(fraction):
    """Over many thinnings of one scan the mean is that scan, not the object."""
    full = uniform(filter_mm=0.0)
    mean = np.mean([thinned(full, fraction, seed).image() for seed in range(60)], axis=0)
    spread = np.sqrt(full.counts * (1 - fraction) / fraction / 60) / full.counts_per_suv
    z = (mean - full.image()) / spread
    assert abs(z.mean()) < 4 / math.sqrt(z.size)
    assert z.std() == pytest.approx(1, abs=0.03)


def test_the_noise_of_a_thinned_scan_is_that_of_a_scan_of_that_dose():
    full = uniform()
    for fraction in FRACTIONS:
        own = uniform(seed=5, dose_fraction=fraction)
        variances = [scan.image()[5:-5, 5:-5, 5:-5].var() for scan in (thinned(full, fraction), own)]
        assert variances[0] / variances[1] == pytest.approx(1, abs=0.12)


def test_the_whole_dose_is_the_scan_itself():
    full = uniform()
    assert np.array_equal(thinned(full, 1.0).counts, full.counts)
    assert np.array_equal(thinned(full, 1).image(), full.image())


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_kept_and_removed_counts_add_up_to_the_scan_and_are_independent(fraction):
    full = uniform()
    low = thinned(full, fraction)
    rest = full.counts - low.counts
    assert rest.min() >= 0
    p_value, _ = poisson_p_value(rest.ravel(), 2.0 * full.counts_per_suv * (1 - fraction))
    assert p_value > 1e-4
    assert np.corrcoef(low.counts.ravel(), rest.ravel())[0, 1] == pytest.approx(0, abs=0.02)
    complement = Acquisition(rest, full.counts_per_suv * (1 - fraction), GRID, full.filter_mm)
    whole = fraction * low.image() + (1 - fraction) * complement.image()
    assert np.allclose(whole, full.image(), atol=1e-4)


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.2, 5, math.nan, math.inf])
def test_impossible_fractions_are_refused(fraction):
    with pytest.raises(DatasetError, match="above 0 and at most 1"):
        thinned(uniform(), fraction)


def test_a_scan_without_noise_cannot_be_thinned():
    with pytest.raises(DatasetError, match="no counts"):
        thinned(uniform(dose_fraction=math.inf), 0.5)
