"""Along which axes an optimum is sharp: a cylinder has no place along its axis."""

import numpy as np
import pytest
from known_moves import displaced

from ct2pet.registration import ALIGNED, MOVED, UNCLEAR, register
from ct2pet.registration.pair import NUM_AXES, Pair
from ct2pet.registration.register import SHARP_MM
from ct2pet.registration.result import AXES
from ct2pet.registration.sharpness import Curvature, PointwiseInformation, _scatter
from ct2pet.volume import Grid, Volume

GRID = Grid((50, 40, 40), (5.0, 4.0, 4.0), (-78.0, -78.0, 0.0))
SMALLER = Grid((46, 36, 36), (5.0, 4.0, 4.0), (-70.0, -70.0, 10.0))


def limb(grid, *, ends=False, seed=0):
    """CT (HU) and PET (SUV): a cylinder of muscle with a bone; with ``ends`` a ball on each end of the bone."""
    z, y, x = (grid.origin[i] + np.arange(grid.shape[2 - i]) * grid.spacing[2 - i] for i in (2, 1, 0))
    z, y, x = z[:, None, None], y[None, :, None], x[None, None]
    flesh, bone = np.hypot(x, y) < 55, np.hypot(x - 15, y + 5) < 14
    if ends:
        bone = bone | (np.sqrt((x - 15) ** 2 + (y + 5) ** 2 + (z - 60) ** 2) < 40)
        bone = bone | (np.sqrt((x + 5) ** 2 + (y - 15) ** 2 + (z - 190) ** 2) < 30)
    shape = np.zeros(grid.shape)
    random = np.random.default_rng(seed)
    ct = np.where(bone + shape, 500, np.where(flesh + shape, 50, -1000)) + random.normal(0, 20, grid.shape)
    pet = np.where(bone + shape, 2.0, np.where(flesh + shape, 0.8, 0.05)) * random.gamma(50, 1 / 50, grid.shape)
    return ct.astype(np.float32), pet.astype(np.float32)


def pair(**shape):
    return Volume(limb(GRID, **shape)[0], GRID, "HU"), Volume(limb(SMALLER, **shape, seed=1)[1], SMALLER, "SUV")


def test_a_cylinder_is_moved_across_and_left_along_its_axis():
    ct, pet = pair()
    away, _ = displaced(pet, ct, (0, 0, 0), (9, -7, 15))
    result = register(ct, away)
    assert result.outcome == MOVED
    assert "foot-head" in result.axes_left
    assert "not moved along: " in result.reason
    assert "foot-head" in result.reason
    shift = np.array(result.matrix)[:3, 3]
    np.testing.assert_allclose(shift[:2], (-9, 7), atol=1.5)
    assert abs(shift[2]) < 1.0  # a turn about another axis may move it a little, no search along the axis
    sharp = [axis for axis in AXES if axis not in result.axes_left]
    assert max(result.axes_sd_mm[axis] for axis in sharp) < SHARP_MM < result.axes_sd_mm["foot-head"]


def test_a_cylinder_displaced_only_along_its_axis_is_not_moved():
    ct, pet = pair()
    result = register(ct, displaced(pet, ct, (0, 0, 0), (0, 0, 15))[0])
    assert result.outcome == ALIGNED
    assert "not judged" in result.reason


def test_with_anatomy_at_its_ends_it_is_moved_along_its_axis_too():
    ct, pet = pair(ends=True)
    away, known = displaced(pet, ct, (0, 0, 0), (9, -7, 15))
    result = register(ct, away)
    assert result.outcome == MOVED
    assert "foot-head" not in result.axes_left
    np.testing.assert_allclose((np.array(result.matrix) @ known)[:3, 3], 0, atol=2.5)


def test_images_without_anything_in_common_are_not_judged():
    ct, pet = pair()
    noise = pet.with_array(np.random.default_rng(3).random(pet.array.shape).astype(np.float32))
    result = register(ct, noise)
    assert result.outcome in (UNCLEAR, ALIGNED)
    np.testing.assert_array_equal(result.matrix, np.eye(4))


def test_the_standard_deviation_is_that_of_the_sandwich():
    """By hand: two axes that do not interact, curvature 2 and 8, scatter 1 and 4."""
    hessian, scatter = np.diag([-2.0, -8.0, -1, -1, -1, -1]), np.diag([1.0, 4.0, 0, 0, 0, 0])
    curvature = Curvature(hessian, (scatter, 0.5 * scatter))
    assert curvature.standard_deviations([0, 1]) == pytest.approx([0.5, 0.25])
    assert curvature.sharp_axes([0, 1], 0.4) == [1]
    assert curvature.sharp_axes([0, 1], 0.2) == []
    assert curvature.sharp_axes([0, 1], 0.6) == [0, 1]


def test_one_of_two_indistinguishable_axes_is_registered():
    hessian = np.diag([-1.0] * NUM_AXES)
    hessian[3, 5] = hessian[5, 3] = -0.999
    hessian[5, 5] = -1.001
    curvature = Curvature(hessian, (1e-4 * np.eye(NUM_AXES),))
    assert curvature.standard_deviations([3, 5]).min() > 1
    assert len(curvature.sharp_axes([3, 5], 0.1)) == 1


def test_a_place_without_a_maximum_has_no_sharp_axis():
    curvature = Curvature(np.diag([1.0] * NUM_AXES), (1e-4 * np.eye(NUM_AXES),))
    assert curvature.sharp_axes(range(NUM_AXES), 1.0) == []


def test_the_scatter_grows_with_the_number_of_blocks_as_a_sum_of_draws_does():
    random = np.random.default_rng(0)
    blocks = np.arange(20_000) // 10
    values = random.normal(0, 1, (1, 20_000))
    assert _scatter(values, blocks).item() == pytest.approx(20_000, rel=0.1)
    assert _scatter(np.ones((1, 20_000)), blocks).item() == pytest.approx(0, abs=1e-9)


def test_the_gain_has_the_sign_of_the_change_and_is_zero_for_none():
    ct, pet = pair()
    information, here = PointwiseInformation(Pair(ct, pet)), np.zeros(NUM_AXES)
    away = np.array([0, 0, 0, 12.0, 0, 0])
    assert information.gain_sd(here, away) > 3
    assert information.gain_sd(away, here) < -3
    assert information.gain_sd(here, here) == 0


def test_without_overlap_no_axis_is_determined():
    ct, pet = pair()
    far = np.array([0, 0, 0, 500.0, 0, 0])
    assert PointwiseInformation(Pair(ct, pet)).curvature(far).sharp_axes(range(NUM_AXES), 1.0) == []
