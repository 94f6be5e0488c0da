import numpy as np
import pytest
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity

from ct2pet.evaluation import similarity


def pair(shape, seed=0, scale=5.0):
    rng = np.random.default_rng(seed)
    real = rng.gamma(1.0, scale, shape).astype(np.float32)
    return (real + rng.normal(0, 4, shape)).astype(np.float32), real


@pytest.mark.parametrize("shape", [(40, 17, 13), (16, 12, 30), (11, 11, 11), (17, 101, 50)])
def test_the_map_is_scikit_images(shape):
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
    np.testing.assert_allclose(similarity.ssim_map(fake, real), expected, atol=1e-5)


def test_ssim_of_a_constant_hot_region_is_the_term_of_the_means():
    real = np.full((20, 12, 12), 80.0, np.float32)
    fake = real + np.float32(0.5)
    mu_x, mu_y, c1 = 80.5, 80.0, 0.04  # both variances are 0: only the term of the means is left
    expected = (2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1)
    np.testing.assert_allclose(similarity.ssim_map(fake, real), expected, atol=1e-6)
    nothing = similarity.ssim_map(np.zeros_like(real), real)
    np.testing.assert_allclose(nothing, c1 / (mu_y**2 + c1), atol=1e-6)


def test_rounding_makes_nothing_more_similar_than_its_means():
    real = np.full((20, 30, 31), 2001.3, np.float32)
    fake = np.full_like(real, 997.7)
    expected = (2 * 2001.3 * 997.7 + 0.04) / (2001.3**2 + 997.7**2 + 0.04)
    assert similarity.ssim_map(fake, real).max() <= expected + 1e-6


def test_equal_images_are_1_everywhere():
    _, real = pair((37, 9, 8))
    assert (similarity.ssim_map(real, real) == 1).all()


def test_a_window_is_0_beyond_the_border_without_reflection():
    _, image = pair((21, 60, 9))
    window = similarity.Window(image.shape, np.full(7, 1 / 7), reflect=False)
    tile = slice(4, 11), slice(20, 51)
    found = window.means(image[1:14, 17:54], tile)
    np.testing.assert_allclose(found, uniform_filter(image, 7, mode="constant")[tile], rtol=1e-5)
