import numpy as np
import pytest
from scipy.ndimage import correlate

from ct2pet.evaluation import peaks

RADIUS = (3000 / (4 * np.pi)) ** (1 / 3)


def test_weights_are_the_caps_of_the_sphere():
    """In voxels of 10 mm the sphere (radius 6.2 mm) bulges by 1.2 mm into the six neighbours: spherical caps."""
    weights = peaks.sphere_weights((10.0, 10.0, 10.0))
    assert weights.shape == (3, 3, 3)
    height = RADIUS - 5
    cap = np.pi * height**2 * (3 * RADIUS - height) / 3 / 1000
    expected = np.zeros((3, 3, 3))
    for place in ((0, 1, 1), (2, 1, 1), (1, 0, 1), (1, 2, 1), (1, 1, 0), (1, 1, 2)):
        expected[place] = cap
    expected[1, 1, 1] = 1 - 6 * cap
    np.testing.assert_allclose(weights, expected, atol=1e-4)


@pytest.mark.parametrize("spacing", [(3.0, 2.0, 2.0), (5.0, 1.2, 4.1), (13.0, 6.0, 13.0)])
def test_a_voxel_is_weighted_with_its_share_in_the_sphere(spacing):
    weights = peaks.sphere_weights(spacing)
    assert weights.shape == tuple(2 * radius + 1 for radius in peaks.peak_radii(spacing))
    assert weights.sum() == pytest.approx(1.0)
    share = weights * 1000 / np.prod(spacing)
    assert share.max() <= 1.001
    if np.linalg.norm(spacing) / 2 < RADIUS:  # the central voxel lies inside as a whole
        assert share.max() > 0.999
    for axis in range(3):
        np.testing.assert_allclose(weights, np.flip(weights, axis), atol=1e-9)


def test_the_sphere_is_as_wide_along_every_axis():
    weights = peaks.sphere_weights((1.0, 0.8, 0.6))
    for axis, size in enumerate((1.0, 0.8, 0.6)):
        place = (np.arange(weights.shape[axis]) - weights.shape[axis] // 2) * size
        profile = weights.sum(axis=tuple(other for other in range(3) if other != axis))
        variance = (profile * place**2).sum() - size**2 / 12  # a voxel has a width of its own
        assert variance == pytest.approx(RADIUS**2 / 5, rel=0.01)


def test_means_are_those_of_a_plain_filter():
    pet = np.random.default_rng(0).gamma(1, 3, (60, 20, 23)).astype(np.float32)
    spacing = (4.0, 2.0, 3.0)
    z, y, x = peaks.peak_radii(spacing)
    expected = correlate(pet.astype(np.float64), peaks.sphere_weights(spacing))[z:-z, y:-y, x:-x]
    np.testing.assert_allclose(peaks.sphere_means(pet, spacing), expected, atol=1e-5)
    assert not peaks.sphere_means(np.zeros_like(pet), spacing).any()


def test_a_large_voxel_is_its_own_peak():
    pet = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    np.testing.assert_allclose(peaks.sphere_means(pet, (20.0, 20.0, 20.0)), pet, atol=1e-6)
