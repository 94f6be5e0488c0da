import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.signal import fftconvolve

from ct2pet.evaluation.multiscale import ms_ssim


def as_defined(fake, real, inside, counted):
    """MS-SSIM of SynthRAD2025, step by step in float64: luminance, contrast and structure by themselves."""
    x, y = (np.where(inside, np.clip(image.astype(np.float64), 0, 20), 0) for image in (fake, real))
    missing = [max(0, 97 - length) for length in x.shape]
    pads = [(number // 2, number - number // 2) for number in missing]
    x, y, counted = (np.pad(array, pads, mode="edge") for array in (x, y, counted))
    c1, c2, sample, result = 0.2**2, 0.6**2, 343 / 342, 1.0
    for weight in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333):
        mean_x, mean_y = uniform_filter(x, 7), uniform_filter(y, 7)
        variance_x = sample * (uniform_filter(x * x, 7) - mean_x**2)
        variance_y = sample * (uniform_filter(y * y, 7) - mean_y**2)
        covariance = sample * (uniform_filter(x * y, 7) - mean_x * mean_y)
        deviations = np.sqrt(np.maximum(variance_x, 0)) * np.sqrt(np.maximum(variance_y, 0))
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        contrast = (2 * deviations + c2) / (variance_x + variance_y + c2)
        structure = np.maximum((covariance + c2 / 2) / (deviations + c2 / 2), 0)
        values = luminance**weight * contrast**weight * structure**weight
        inner = (slice(3, -3),) * 3
        result *= values[inner][counted[inner]].mean()
        x, y = (fftconvolve(image, np.full((2, 2, 2), 1 / 8), mode="same")[::2, ::2, ::2] for image in (x, y))
        counted = counted[::2, ::2, ::2]
    return result


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ((120, 100, 111), (slice(20, 100), slice(30, 90), slice(11, 97))),
        ((100, 101, 99), (slice(0, 100), slice(10, 101), slice(5, 99))),
        ((40, 50, 120), (slice(5, 38), slice(8, 45), slice(33, 100))),
    ],
)
def test_ms_ssim_equals_the_definition_of_synthrad(shape, body):
    rng = np.random.default_rng(0)
    real = (5 * gaussian_filter(rng.gamma(1, 3, shape), 1)).astype(np.float32)
    fake = (gaussian_filter(real, 1) + rng.normal(0, 1, shape)).astype(np.float32)
    fake[40:60] = 8 - real[40:60]  # similar to nothing: below 0
    assert real.max() > 20  # something is clipped
    labels = np.zeros(shape, np.uint8)
    labels[body] = 1
    labels[body][15:] = 3
    found = ms_ssim(fake, real, labels)
    assert set(found) == {0, 1, 3}
    assert found[0] == pytest.approx(as_defined(fake, real, labels > 0, labels > 0), abs=1e-5)
    assert found[3] == pytest.approx(as_defined(fake, real, labels > 0, labels == 3), abs=1e-5)
    assert 0.1 < found[0] < 0.99


def test_a_region_without_voxels_at_the_coarsest_scale_has_no_value():
    real = np.random.default_rng(0).random((97, 97, 97), dtype=np.float32)
    labels = np.zeros(real.shape, np.uint8)
    assert ms_ssim(real, real, labels) == {0: None}
    labels[51:54, 51:54, 51:54] = 2  # no voxel of the coarsest scale
    assert ms_ssim(real, real, labels) == {0: None, 2: None}
    labels[20:80, 20:80, 20:80] = 1
    found = ms_ssim(real, real, labels)
    assert found == {0: pytest.approx(1.0), 1: pytest.approx(1.0)}
