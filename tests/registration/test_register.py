"""Known shifts and turns of phantom pairs are found again, and pairs that fit are left alone."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from known_moves import displaced, displacement, residual, within

from ct2pet.errors import GeometryError
from ct2pet.imageio import read_volume
from ct2pet.phantom import COARSE, make_patient, scan
from ct2pet.registration import ALIGNED, IMPLAUSIBLE, MOVED, estimate_misalignment, moved, register
from ct2pet.registration.result import AXES
from ct2pet.volume import Grid, Volume


@pytest.fixture(scope="module")
def pair():
    """A phantom's trunk: CT of 9 x 8 x 8 mm, and PET of 11 mm, which shows 30 mm less all around."""
    case = scan(make_patient(5), COARSE)
    low, high = np.array([-170, -135, 990]), np.array([170, 175, 1310])
    return within(case.ct.to_canonical(), low - 30, high + 30), within(case.pet.to_canonical(), low, high)


MOVES = [
    ((0, 0, 0), (8, 0, 0)),
    ((0, 0, 0), (0, -6, 20)),
    ((2, 0, 0), (0, 10, 0)),
    ((-3, 2, 4), (5, -8, 12)),
    ((0, 0, -6), (-4, 2, 3)),
]


@pytest.mark.parametrize(("degrees", "shift"), MOVES)
def test_known_moves_are_undone_to_half_a_voxel(pair, degrees, shift):
    ct, pet = pair
    away, known = displaced(pet, ct, degrees, shift)
    result = register(ct, away, always=False)
    assert result.outcome == MOVED
    assert residual(ct, pet, np.array(result.matrix) @ known) < 0.5 * min(pet.grid.spacing)
    assert result.gain > 0.02
    np.testing.assert_array_equal(moved(away, result).array, pet.array)  # no resampling
    corners = moved(away, result).grid.corners - pet.grid.corners
    assert np.linalg.norm(corners, axis=1).max() < 0.6 * min(pet.grid.spacing)


def test_an_aligned_pair_is_not_moved(pair):
    for always in (False, True):
        result = register(*pair, always=always)
        assert result.outcome == ALIGNED
    assert estimate_misalignment(*pair) < 2


def test_the_estimate_grows_with_the_distance(pair):
    ct, pet = pair
    near, far = (estimate_misalignment(ct, displaced(pet, ct, (0, 0, 0), (0, shift, 0))[0]) for shift in (6, 14))
    assert 2 < near < far


@pytest.mark.parametrize(("degrees", "shift"), [((0, 0, 0), (0, 38, 0)), ((0, 14, 0), (0, 0, 0))])
def test_a_move_that_is_too_large_is_refused(pair, degrees, shift):
    ct, pet = pair
    result = register(ct, displaced(pet, ct, degrees, shift)[0])
    assert result.outcome == IMPLAUSIBLE
    assert "too much for one examination" in result.reason


STS = Path(__file__).parents[3] / "shared" / "data" / "sts" / "nifti"


@pytest.mark.skipif(not STS.is_dir(), reason="the sarcoma images (../shared/data/sts) are not here")
def test_a_real_aligned_pair_is_not_moved_and_a_known_shift_is_corrected():
    folder = STS / "STS_032"
    ct, pet = read_volume(folder / "CT_image.nii.gz", "HU"), read_volume(folder / "PET_image.nii.gz", "SUV")
    assert register(ct, pet).outcome == ALIGNED
    away, known = displaced(pet, ct, (0, 0, 0), (12, -9, 0))
    result = register(ct, away)
    assert result.outcome == MOVED
    before, after = (np.abs(matrix[:2, 3]) for matrix in (known, np.array(result.matrix) @ known))
    sharp = [axis not in result.axes_left for axis in AXES[3:5]]
    assert any(sharp)
    assert (after[sharp] < 0.5 * before[sharp]).all()


def test_pairs_that_do_not_meet_are_refused(pair):
    ct, pet = pair
    far = Grid(pet.grid.shape, pet.grid.spacing, (5000.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match="no common region"):
        register(ct, Volume(pet.array, far, "SUV"))


def test_pairs_of_too_few_slices_are_refused():
    grid = Grid((3, 20, 20), (9.0, 4.0, 4.0))
    values = np.random.default_rng(0).uniform(0, 5, grid.shape).astype(np.float32)
    with pytest.raises(GeometryError, match="fewer than 4 voxels along an axis"):
        register(Volume(100 * values, grid, "HU"), Volume(values, grid, "SUV"))


def test_the_result_is_the_same_again_and_fits_json(pair):
    ct, pet = pair
    away, _ = displaced(pet, ct, (1, 0, 2), (9, 0, 0))
    first, second = register(ct, away), register(ct, away)
    np.testing.assert_allclose(first.matrix, second.matrix, atol=1e-4)
    content = json.loads(json.dumps(first.to_json(), allow_nan=False))
    assert content["gain"] == pytest.approx(content["metric_after"] / content["metric_before"] - 1)
    assert content["outcome"] == MOVED


def test_axes_in_another_order_give_the_same_answer(pair):
    ct, pet = pair
    away, known = displaced(pet, ct, (0, 3, 0), (10, 5, 0))
    turned = Grid.from_affine(
        away.grid.shape[::-1], away.grid.affine @ np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    )
    result = register(ct, Volume(np.ascontiguousarray(away.array.transpose(2, 1, 0)), turned, "SUV"))
    assert residual(ct, pet, np.array(result.matrix) @ known) < 0.5 * min(pet.grid.spacing)


def test_the_displacement_matrix_rotates_about_its_centre_and_translates():
    matrix = displacement((0, 0, 90), (1, 2, 3), np.array([10.0, 0.0, 0.0]))
    np.testing.assert_allclose(matrix @ [11, 0, 0, 1], [11, 3, 3, 1], atol=1e-12)
    assert math.isclose(np.linalg.det(matrix), 1)
