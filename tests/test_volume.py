from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ct2pet.errors import GeometryError
from ct2pet.volume import Box, Grid, Volume

SHAPE = (3, 4, 5)
SPACING = (4.0, 2.0, 1.5)
ORIGIN = (-12.5, 30.0, 7.0)

ORIENTATIONS = [
    tuple((np.eye(3)[:, list(order)] * np.array(signs)).ravel().tolist())
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


def oblique(seed, base):
    """A rotation of up to 30 degrees on top of one of the 48 orientations."""
    axis = np.random.default_rng(seed).normal(size=3)
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.deg2rad(30)).as_matrix()
    return tuple((turn @ np.array(base).reshape(3, 3)).ravel().tolist())


DIRECTIONS = ORIENTATIONS + [oblique(seed, base) for seed, base in enumerate(ORIENTATIONS[::5])]


def numbered_volume(direction):
    """Every voxel holds its own number."""
    grid = Grid(SHAPE, SPACING, ORIGIN, direction)
    return Volume(np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE), grid)


def itk_image(volume):
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.grid.spacing[::-1])
    image.SetOrigin(volume.grid.origin)
    image.SetDirection(volume.grid.direction)
    return image


def places(volume):
    """{value: the place (mm) of its voxel}, by SimpleITK."""
    image = itk_image(volume)
    return {
        int(value): image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        for index, value in np.ndenumerate(volume.array)
    }


def assert_same_places(places_a, places_b):
    assert places_a.keys() == places_b.keys()
    for value, place in places_a.items():
        np.testing.assert_allclose(place, places_b[value], atol=1e-6)


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_oriented_keeps_every_voxel_at_its_place(direction):
    volume = numbered_volume(direction)
    assert_same_places(places(volume.to_canonical()), places(volume))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_canonical_axes_point_left_posterior_and_superior(direction):
    volume = numbered_volume(direction).to_canonical()
    rotation = np.array(volume.grid.direction).reshape(3, 3)
    assert (np.diag(rotation) > np.sqrt(0.5) - 0.1).all()
    again = volume.to_canonical()
    assert again.grid == volume.grid
    np.testing.assert_array_equal(again.array, volume.array)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_arranged_like_undoes_oriented(direction):
    volume = numbered_volume(direction)
    back = volume.to_canonical().reorient_like(volume.grid)
    np.testing.assert_array_equal(back.array, volume.array)
    assert back.grid.matches(volume.grid)
    assert volume.grid.to_canonical().reorient_like(volume.grid).matches(volume.grid)


@pytest.mark.parametrize("direction", DIRECTIONS[::7])
def test_arranged_like_keeps_every_voxel_at_its_place(direction):
    volume = numbered_volume(DIRECTIONS[5])
    arranged = volume.reorient_like(Grid(SHAPE, SPACING, ORIGIN, direction))
    assert_same_places(places(arranged), places(volume))


@pytest.mark.parametrize("direction", ORIENTATIONS)
def test_oriented_agrees_with_simpleitk(direction):
    volume = numbered_volume(direction)
    expected = sitk.DICOMOrient(itk_image(volume), "LPS")
    oriented = volume.to_canonical()
    np.testing.assert_array_equal(oriented.array, sitk.GetArrayFromImage(expected))
    np.testing.assert_allclose(oriented.grid.origin, expected.GetOrigin())
    np.testing.assert_allclose(oriented.grid.spacing, expected.GetSpacing()[::-1])
    np.testing.assert_allclose(oriented.grid.direction, expected.GetDirection(), atol=1e-12)


def test_oriented_moves_all_channels_alike_and_copies_nothing():
    volume = numbered_volume(ORIENTATIONS[29])
    both = Volume(np.stack([volume.array, -volume.array]), volume.grid)
    oriented = both.to_canonical()
    assert np.shares_memory(oriented.array, both.array)
    np.testing.assert_array_equal(oriented.array[0], volume.to_canonical().array)
    np.testing.assert_array_equal(oriented.array[1], -volume.to_canonical().array)


@pytest.mark.parametrize("degrees", [44.9, 45.0, 45.1])
def test_grids_between_two_orientations_are_decided_too(degrees):
    turn = Rotation.from_euler("z", degrees, degrees=True) * Rotation.from_euler("x", degrees, degrees=True)
    volume = numbered_volume(tuple(turn.as_matrix().ravel().tolist()))
    assert_same_places(places(volume.to_canonical()), places(volume))


@pytest.mark.parametrize("direction", DIRECTIONS[::6])
def test_a_crop_keeps_its_voxels_at_their_places(direction):
    volume = numbered_volume(direction)
    box = Box((1, 0, 2), (3, 3, 4))
    cropped = volume.crop(box)
    assert cropped.array.shape == cropped.grid.shape == box.shape == (2, 3, 2)
    everywhere = places(volume)
    assert_same_places(places(cropped), {value: everywhere[value] for value in cropped.array.ravel().tolist()})


@pytest.mark.parametrize("direction", DIRECTIONS[::6])
def test_from_affine_is_the_inverse_of_affine(direction):
    grid = Grid(SHAPE, SPACING, ORIGIN, direction)
    back = Grid.from_affine(grid.shape, grid.affine)
    assert back.matches(grid)
    np.testing.assert_allclose(back.spacing, grid.spacing)
    np.testing.assert_allclose(back.direction, grid.direction, atol=1e-12)


grids = st.builds(
    Grid,
    shape=st.tuples(*[st.integers(1, 60)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 6.0)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    direction=st.sampled_from(DIRECTIONS),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(grid=grids, spacing=st.tuples(*[st.floats(0.5, 6.0)] * 3))
def test_another_spacing_covers_the_same_field_of_view(grid, spacing):
    other = grid.with_spacing(spacing)
    assert other.spacing == spacing
    assert other.direction == grid.direction
    along = np.linalg.inv(grid.affine[:3, :3] / np.array(grid.spacing[::-1]))
    near, far = (np.abs(along @ (other.corners[end] - grid.corners[end]))[::-1] for end in (0, -1))
    for axis, new in enumerate(spacing):
        extent = grid.shape[axis] * grid.spacing[axis]
        if extent / new <= 0.5:  # the whole axis is thinner than half a voxel: one voxel, centred
            assert other.shape[axis] == 1
            assert near[axis] == pytest.approx(far[axis], abs=1e-6)
        else:  # the outer corner of the first voxel is the same
            assert near[axis] == pytest.approx(0, abs=1e-6)
            assert far[axis] <= new / 2 + 1e-6


@settings(max_examples=60, deadline=None, derandomize=True)
@given(grid=grids, spacing=st.tuples(*[st.floats(0.5, 6.0)] * 3))
def test_the_centre_of_every_voxel_of_another_spacing_is_in_the_field_of_view(grid, spacing):
    other = grid.with_spacing(spacing)
    ends = np.array([(0, 0, 0, 1), (*(n - 1 for n in other.shape[::-1]), 1)]).T
    index = (np.linalg.inv(grid.affine) @ other.affine @ ends)[2::-1].T
    assert (index >= -0.5 - 1e-6).all()
    assert (index <= np.array(grid.shape) - 0.5 + 1e-6).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(grid=grids, spacing=st.tuples(*[st.floats(0.5, 6.0)] * 3))
def test_the_grids_of_stored_data_are_bit_equal(grid, spacing):
    """Preprocessed data of earlier versions are on these grids."""
    if any(round(n * old / new) == 0 for n, old, new in zip(grid.shape, grid.spacing, spacing)):
        return  # could not be preprocessed before
    shape = tuple(max(1, round(n * old / new)) for n, old, new in zip(grid.shape, grid.spacing, spacing))
    shift = np.array([(new - old) / 2 for old, new in zip(grid.spacing, spacing)])[::-1]
    origin = np.array(grid.origin) + np.array(grid.direction).reshape(3, 3) @ shift
    assert grid.with_spacing(spacing) == Grid(shape, spacing, tuple(origin.tolist()), grid.direction)


def test_resampling_to_the_same_spacing_keeps_the_grid():
    grid = Grid(SHAPE, SPACING, ORIGIN, DIRECTIONS[-1])
    assert grid.with_spacing(SPACING).matches(grid)


def test_a_spacing_worked_by_hand():
    grid = Grid((10, 10, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)).with_spacing((2.0, 5.0, 4.0))
    assert grid.shape == (5, 2, 2)  # 10 mm hold two and a half voxels of 4 mm: rounded to even
    assert grid.origin == (1.5, 2.0, 0.5)  # x, y, z


@given(grid=grids)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_grid_matches_itself_and_its_like_but_no_shifted_one(grid):
    assert grid.matches(grid)
    nearly = Grid.from_affine(grid.shape, grid.affine.astype(np.float32))  # as NIfTI stores it
    assert grid.matches(nearly)
    shifted = grid.affine
    shifted[:3, 3] += shifted[:3, 0] / 2
    assert not grid.matches(Grid.from_affine(grid.shape, shifted))
    assert not grid.matches(Grid((grid.shape[0] + 1, *grid.shape[1:]), grid.spacing, grid.origin, grid.direction))


def test_overlap_worked_by_hand():
    grid = Grid((10, 10, 10), (1.0, 1.0, 1.0))
    half = Grid((10, 10, 10), (1.0, 1.0, 1.0), (5.0, 0.0, 0.0))
    large = Grid((20, 20, 20), (2.0, 2.0, 2.0), (-10.0, -10.0, -10.0))
    assert grid.overlap(grid) == 1
    assert grid.overlap(half) == 0.5
    assert grid.overlap(large) == 1
    assert large.overlap(grid) == pytest.approx(1000 / 64000)
    assert grid.overlap(Grid((10, 10, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 10.0))) == 0


def test_voxel_volume_and_corners_worked_by_hand():
    grid = Grid((2, 3, 4), (5.0, 2.0, 1.0), (0.0, 0.0, 0.0))
    assert grid.voxel_ml == pytest.approx(0.01)
    low, high = grid.bounds
    np.testing.assert_allclose(low, (-0.5, -1.0, -2.5))
    np.testing.assert_allclose(high, (3.5, 5.0, 7.5))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0, 0.2))
def test_the_bounding_box_of_a_mask_is_complete_and_tight(seed, share):
    mask = np.random.default_rng(seed).random((5, 6, 7)) < share
    box = Box.around(mask)
    if box is None:
        assert not mask.any()
        return
    inside = mask[box.slices]
    assert inside.sum() == mask.sum()
    for axis in range(3):
        assert inside.take(0, axis).any()
        assert inside.take(-1, axis).any()


def test_a_box_grows_up_to_the_border():
    assert Box((1, 4, 0), (3, 5, 2)).grown((2, 1, 3), (10, 6, 4)) == Box((0, 3, 0), (5, 6, 4))


@pytest.mark.parametrize(
    "arguments",
    [
        {"shape": (0, 4, 5)},
        {"shape": (4, 5)},
        {"spacing": (1.0, 0.0, 1.0)},
        {"spacing": (1.0, -2.0, 1.0)},
        {"origin": (float("nan"), 0.0, 0.0)},
        {"direction": (1.0, 0.2, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)},  # sheared
        {"direction": (0.0,) * 9},
    ],
)
def test_an_invalid_grid_is_refused(arguments):
    with pytest.raises(GeometryError):
        Grid(**{"shape": SHAPE, "spacing": SPACING, **arguments})


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.full((4, 4), np.nan)])
def test_an_affine_without_voxels_is_refused(affine):
    with pytest.raises(GeometryError):
        Grid.from_affine(SHAPE, affine)


@pytest.mark.parametrize("shape", [(3, 4, 6), (4, 5), (1, 1, 3, 4, 5)])
def test_an_array_that_does_not_fit_its_grid_is_refused(shape):
    with pytest.raises(GeometryError, match="the array has the shape"):
        Volume(np.zeros(shape), Grid(SHAPE, SPACING))


def test_with_array_keeps_the_grid_and_the_unit():
    volume = Volume(np.zeros(SHAPE), Grid(SHAPE, SPACING), "HU")
    assert volume.with_array(np.ones(SHAPE)).unit == "HU"
    assert volume.with_array(np.ones(SHAPE), "SUV").unit == "SUV"
    assert volume.with_array(np.ones(SHAPE)).grid is volume.grid
