"""The physics: the point spread keeps the activity, and the texture is fixed in space."""

import math

import numpy as np
import pytest

from ct2pet.phantom.imaging import FWHM, seen_by_pet, separable, smooth_texture
from ct2pet.volume import Grid, Volume

FINE = Grid((60, 50, 40), (2.0, 2.0, 2.0), (-39.0, -49.0, -59.0))


def blob(seed=0):
    activity = np.zeros(FINE.shape, dtype=np.float32)
    activity[20:40, 18:32, 14:26] = np.random.default_rng(seed).uniform(0, 5, (20, 14, 12))
    return Volume(activity, FINE, "SUV")


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (5.0, 4.0, 4.0), (3.0, 7.0, 6.5)])
@pytest.mark.parametrize("psf_mm", [0.0, 4.0, 8.0])
def test_the_point_spread_keeps_the_total_activity(spacing, psf_mm):
    grid = FINE.with_spacing(spacing)
    pet = seen_by_pet(blob(), grid, psf_mm)
    assert pet.sum() * grid.voxel_ml == pytest.approx(blob().array.sum() * FINE.voxel_ml, rel=1e-3)


def test_without_spread_and_on_the_same_grid_nothing_changes():
    assert np.allclose(seen_by_pet(blob(), FINE, 0.0), blob().array, atol=0.005)


def test_a_point_is_seen_as_wide_as_the_resolution():
    activity = np.zeros(FINE.shape, dtype=np.float32)
    activity[30, 25, 20] = 1.0
    pet = seen_by_pet(Volume(activity, FINE), FINE, 9.0)
    z = np.arange(FINE.shape[0]) * FINE.spacing[0]
    profile = pet.sum(axis=(1, 2))
    variance = np.average((z - np.average(z, weights=profile)) ** 2, weights=profile)
    boxes = 2 * FINE.spacing[0] ** 2 / 12  # the point's own voxel and the voxel that sees it
    assert math.sqrt(variance - boxes) * FWHM == pytest.approx(9.0, rel=0.02)


def test_separable_matrices_act_on_their_axes():
    array = np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)
    matrices = [np.random.default_rng(i).normal(size=(n + 1, n)).astype(np.float32) for i, n in enumerate(array.shape)]
    expected = np.einsum("az,by,cx,zyx->abc", *matrices, array)
    assert np.allclose(separable(array, matrices), expected, atol=1e-4)


def test_the_texture_is_fixed_in_space_and_normal_in_size():
    random = np.random.default_rng
    fine = smooth_texture(FINE, random(9))
    coarse_grid = Grid((30, 25, 20), (4.0, 4.0, 4.0), FINE.origin)
    assert np.allclose(smooth_texture(coarse_grid, random(9)), fine[::2, ::2, ::2], atol=1e-4)
    large = smooth_texture(Grid((200, 60, 80), (8.0, 6.0, 6.0), (-240.0, -180.0, 0.0)), random(2))
    assert large.std() == pytest.approx(1.0, abs=0.05)
    assert abs(large.mean()) < 0.05
