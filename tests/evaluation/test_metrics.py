import numpy as np
import pytest
from skimage.metrics import structural_similarity

from ct2pet.evaluation import metrics


def pair(shape, seed=0, scale=5.0):
    rng = np.random.default_rng(seed)
    real = rng.gamma(1.0, scale, shape).astype(np.float32)
    return (real + rng.normal(0, 4, shape)).astype(np.float32), real


def test_numbers_worked_by_hand():
    real = np.array([[[1.0, 2.0, 4.0, 1.0]]], np.float32)
    fake = np.array([[[2.0, 2.0, 1.0, 9.0]]], np.float32)
    mask = np.array([[[True, True, True, False]]])
    assert metrics.mae(fake, real, mask) == pytest.approx(4 / 3, rel=1e-12)
    assert metrics.mae(fake, real) == 3.0
    assert metrics.psnr(fake, real, mask) == pytest.approx(10 * np.log10(400 / (10 / 3)), rel=1e-12)
    assert metrics.suv_mean_bias(fake, real, mask) == pytest.approx(100 * (5 - 7) / 7, rel=1e-12)
    assert metrics.suv_max_bias(fake, real, mask) == pytest.approx(-50.0, rel=1e-12)


def test_what_does_not_exist_is_none():
    fake, real = pair((4, 5, 6))
    nowhere = np.zeros(real.shape, bool)
    for metric in (metrics.mae, metrics.psnr, metrics.ssim, metrics.suv_mean_bias, metrics.suv_max_bias):
        assert metric(fake, real, nowhere) is None
    assert metrics.psnr(real, real) is None
    assert metrics.suv_mean_bias(fake, np.zeros_like(real)) is None
    assert metrics.suv_max_bias(fake, np.zeros_like(real)) is None


@pytest.mark.parametrize("shape", [(40, 17, 13), (16, 12, 30), (11, 11, 11)])
def test_ssim_map_is_scikit_images(shape):
    fake, real = pair(shape)
    _, expected = structural_similarity(
        fake.astype(np.float64),
        real.astype(np.float64),
        data_range=20,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert np.abs(expected).min() < 0.9  # the pair is different enough to tell
    np.testing.assert_allclose(metrics.ssim_map(fake, real), expected, atol=1e-5)


def test_ssim_holds_where_a_hot_region_is_flat():
    real = np.full((20, 12, 12), 80.0, np.float32)
    fake = real + np.float32(0.5)
    mu_x, mu_y, c1 = 80.5, 80.0, 0.04  # both variances are 0: only the term of the means is left
    expected = (2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1)
    np.testing.assert_allclose(metrics.ssim_map(fake, real), expected, atol=1e-7)


def test_ssim_of_a_mask_is_the_mean_of_the_map_inside():
    fake, real = pair((37, 9, 8), seed=3)
    mask = np.random.default_rng(1).random(real.shape) < 0.3
    full = metrics.ssim_map(fake, real).astype(np.float64)
    means = metrics.ssim_means(fake, real, {"part": mask, "all": None, "none": np.zeros_like(mask)})
    assert means["part"] == pytest.approx(full[mask].mean(), abs=1e-6)
    assert means["all"] == pytest.approx(full.mean(), abs=1e-6)
    assert means["none"] is None
    assert metrics.ssim(real, real, mask) == pytest.approx(1.0, abs=1e-12)


def test_regions_get_every_metric_and_one_the_whole_volume():
    fake, real = pair((12, 9, 8), seed=5)
    body = np.zeros(real.shape, bool)
    body[2:9, 2:7, 1:6] = True
    head = body.copy()
    head[:6] = False
    found = metrics.region_metrics(fake, real, {"whole_body": body, "head": head, "legs": body & ~body}, "whole_body")
    assert found["head"]["mae"] == metrics.mae(fake, real, head)
    assert found["head"]["suv_max_bias"] == metrics.suv_max_bias(fake, real, head)
    assert found["whole_body"]["psnr"] == metrics.psnr(fake, real, body)
    assert found["whole_body"]["mae_volume"] == metrics.mae(fake, real)
    assert found["whole_body"]["ssim_volume"] == pytest.approx(metrics.ssim(fake, real))
    assert set(found["head"]) == {"mae", "psnr", "ssim", "suv_mean_bias", "suv_max_bias"}
    assert set(found["legs"].values()) == {None}


def test_air_flatters_and_the_mask_does_not_let_it():
    real = np.zeros((10, 10, 10), np.float32)
    body = np.zeros(real.shape, bool)
    body[4:6, 4:6, 4:6] = True
    real[body] = 2.0
    fake = np.zeros_like(real)
    assert metrics.mae(fake, real, body) == 2.0
    assert metrics.mae(fake, real) == pytest.approx(2.0 * body.mean())
