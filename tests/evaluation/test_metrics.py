import numpy as np
import pytest
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio

from ct2pet.evaluation import metrics
from ct2pet.evaluation.metrics import Sums


def test_numbers_worked_by_hand():
    sums = Sums.of(np.array([1.0, 2.0, 4.0], np.float32), np.array([2.0, 2.0, 1.0], np.float32))
    assert metrics.mae(sums) == pytest.approx(4 / 3, rel=1e-12)
    assert metrics.rmse(sums) == pytest.approx(np.sqrt(10 / 3), rel=1e-12)
    assert metrics.psnr(sums) == pytest.approx(10 * np.log10(400 / (10 / 3)), rel=1e-12)
    # means 7/3 and 5/3, variances 14/9 and 2/9, covariance 10/3 - 35/9 = -5/9
    assert metrics.ccc(sums) == pytest.approx(2 * (-5 / 9) / (14 / 9 + 2 / 9 + 4 / 9), rel=1e-12)
    found = metrics.uptake(sums)
    assert found["suv_mean_bias"] == pytest.approx(100 * (5 - 7) / 7, rel=1e-12)
    assert found["suv_max_bias"] == pytest.approx(-50.0, rel=1e-12)
    assert (found["real_suv_max"], found["fake_suv_max"]) == (4.0, 2.0)


def test_errors_are_scikit_images():
    rng = np.random.default_rng(0)
    real = rng.gamma(1.0, 5.0, (20, 15, 11)).astype(np.float32)
    fake = (real + rng.normal(0, 2, real.shape)).astype(np.float32)
    sums = Sums.of(real, fake)
    wide = real.astype(np.float64), fake.astype(np.float64)
    assert metrics.psnr(sums) == pytest.approx(peak_signal_noise_ratio(*wide, data_range=20), abs=1e-5)
    rmse = normalized_root_mse(*wide, normalization="mean") * wide[0].mean()
    assert metrics.rmse(sums) == pytest.approx(rmse, abs=1e-5)
    covariance = np.cov(wide[0].ravel(), wide[1].ravel(), bias=True)
    expected = 2 * covariance[0, 1] / (covariance.trace() + (wide[0].mean() - wide[1].mean()) ** 2)
    assert metrics.ccc(sums) == pytest.approx(expected, abs=1e-5)


def test_parts_together_are_the_whole():
    rng = np.random.default_rng(1)
    real, fake = rng.random((2, 1000)).astype(np.float32)
    parts = [
        Sums.of(real[part], fake[part]) for part in (slice(0, 7), slice(7, 600), slice(600, 600), slice(600, None))
    ]
    whole, together = Sums.of(real, fake), Sums.together(parts)
    for name, value in metrics.error_metrics(whole).items():
        assert metrics.error_metrics(together)[name] == pytest.approx(value, rel=1e-6), name
    assert metrics.uptake(together)["fake_suv_max"] == fake.max()


def test_undefined_values_are_none():
    nothing = Sums.together([])
    assert set(metrics.error_metrics(nothing).values()) == {None}
    assert set(metrics.uptake(nothing).values()) == {None}
    equal = Sums.of(np.ones(3, np.float32), np.ones(3, np.float32))
    assert metrics.mae(equal) == 0.0
    assert metrics.psnr(equal) is None
    assert metrics.ccc(equal) is None
    cold = metrics.uptake(Sums.of(np.zeros(3, np.float32), np.ones(3, np.float32)))
    assert cold["suv_mean_bias"] is None
    assert cold["fake_suv_mean"] == 1.0


def test_a_bias_needs_a_positive_real_value():
    found = metrics.with_bias({"a": 2.0, "b": 0.0, "c": -1.0, "d": None}, {"a": 3.0, "b": 1.0, "c": 1.0, "d": 1.0})
    assert [found[f"{name}_bias"] for name in "abcd"] == [50.0, None, None, None]
    assert (found["real_a"], found["fake_a"]) == (2.0, 3.0)
