import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, uniform_filter

from ct2pet.inference import stitching
from ct2pet.inference.stitching import LabelStitcher, Stitcher, border_weight, output_grid
from ct2pet.volume import Box, Grid, Volume

TURNED = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
FLIPPED_AND_PERMUTED = (0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def territories(shape, number, seed=0):
    """``number`` irregular districts (labels 1 ...) and air (0)."""
    generator = np.random.default_rng(seed)
    noise = np.stack([uniform_filter(generator.normal(size=shape), 5) for _ in range(number + 1)])
    return noise.argmax(axis=0).astype(np.uint8)


def label_volume(array, spacing=(4.0, 3.0, 2.0)):
    return Volume(array, Grid(array.shape, spacing, (-7.0, 5.0, 11.0)), "label")


def noise_like(volume, seed):
    values = np.random.default_rng(seed).uniform(0, 9, volume.grid.shape).astype(np.float32)
    return volume.with_array(values, "SUV")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 5), st.sampled_from([0.0, 3.0, 8.0, 40.0]), st.floats(0, 60, width=32), st.integers(0, 99))
def test_constant_in_is_exactly_constant_out(number, blend_mm, value, seed):
    labels = label_volume(territories((13, 12, 11), number, seed))
    stitcher = Stitcher(labels, blend_mm)
    for label in range(1, number + 1):
        stitcher.add(labels.with_array(np.full(labels.grid.shape, value, np.float32)), [label])
    np.testing.assert_array_equal(stitcher.result().array, np.where(labels.array > 0, np.float32(value), 0))


@pytest.mark.parametrize("blend_mm", [0.0, 8.0])
def test_a_district_without_a_prediction_is_zero(blend_mm):
    labels = label_volume(territories((13, 12, 11), 2))
    stitcher = Stitcher(labels, blend_mm)
    stitcher.add(labels.with_array(np.full(labels.grid.shape, 3, np.float32)), [1])
    np.testing.assert_array_equal(stitcher.result().array, np.where(labels.array == 1, np.float32(3), 0))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 4), st.integers(0, 99))
def test_hard_stitching_is_exactly_a_choice_by_label(number, seed):
    labels = label_volume(territories((13, 12, 11), number, seed))
    stitcher, expected = Stitcher(labels), np.zeros(labels.grid.shape, np.float32)
    for label in range(1, number + 1):
        pet = noise_like(labels, label)
        stitcher.add(pet, [label])
        expected = np.where(labels.array == label, pet.array, expected)
    np.testing.assert_array_equal(stitcher.result().array, expected)


def test_hard_stitching_copies_from_a_cropped_grid_on_the_same_lattice():
    labels = label_volume(territories((20, 18, 16), 2))
    pet = noise_like(labels, 1)
    box = Box.around(labels.array == 1)
    part = box.grown((1, 0, 1), labels.grid.shape)
    stitcher = Stitcher(labels)
    stitcher.add(Volume(pet.array[part.slices], labels.grid.crop(part)), [1])
    np.testing.assert_array_equal(stitcher.result().array, np.where(labels.array == 1, pet.array, 0))


@pytest.mark.parametrize("blend_mm", [0.0, 10.0])
def test_the_order_of_the_districts_does_not_matter_nor_does_the_size_of_the_slabs(blend_mm, monkeypatch):
    labels = label_volume(territories((21, 12, 11), 3))
    results = []
    for order, slab in (((1, 2, 3), 2**22), ((3, 1, 2), 2**22), ((2, 3, 1), 1)):
        monkeypatch.setattr(stitching, "_SLAB_VOXELS", slab)
        stitcher = Stitcher(labels, blend_mm)
        for label in order:
            stitcher.add(noise_like(labels, label), [label])
        results.append(stitcher.result().array)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-5, atol=1e-6)


def test_a_straight_border_is_a_ramp_of_the_requested_width():
    array = np.ones((20, 5, 5), np.uint8)
    array[10:] = 2
    labels = label_volume(array, (2.0, 2.0, 2.0))
    stitcher = Stitcher(labels, blend_mm=8.0)
    stitcher.add(labels.with_array(np.full(array.shape, 8.0, np.float32)), [1])
    stitcher.add(labels.with_array(np.zeros(array.shape, np.float32)), [2])
    profile = stitcher.result().array[:, 2, 2]
    np.testing.assert_allclose(profile, [8.0] * 8 + [7, 5, 3, 1] + [0.0] * 8, atol=1e-5)


def test_weights_of_two_neighbours_add_up_to_one_and_follow_the_distance():
    array = territories((15, 14, 13), 2, seed=4)
    spacing = (4.0, 3.0, 2.0)
    one, two = array == 1, array == 2
    first, second = border_weight(one, two, spacing, 9.0), border_weight(two, one, spacing, 9.0)
    np.testing.assert_allclose((first + second)[array > 0], 1, atol=1e-5)
    np.testing.assert_array_equal((first + second)[array == 0], 0)
    distance = distance_transform_edt(~two, sampling=spacing)
    np.testing.assert_allclose(first[one], np.clip(0.5 + (distance[one] - 1.0) / 9.0, 0, 1), atol=1e-5)


def test_the_border_with_the_air_is_not_blended():
    array = np.zeros((20, 9, 9), np.uint8)
    array[3:10, 2:7, 2:7], array[10:17, 2:7, 2:7] = 1, 2
    weight = border_weight(array == 1, array == 2, (2.0, 2.0, 2.0), 6.0)
    np.testing.assert_array_equal(weight[3:8], array[3:8] == 1)


def test_blending_stays_between_the_districts_and_is_never_negative():
    labels = label_volume(territories((14, 13, 12), 3, seed=2))
    pets = [noise_like(labels, seed) for seed in range(3)]
    pets[1] = pets[1].with_array(pets[1].array - 4.5)
    stitcher = Stitcher(labels, 12.0)
    for label, pet in enumerate(pets, start=1):
        stitcher.add(pet, [label])
    result, body = stitcher.result().array, labels.array > 0
    every = np.maximum(np.stack([pet.array for pet in pets]), 0)
    assert (result >= 0).all()
    assert (result[~body] == 0).all()
    assert (result[body] <= every.max(axis=0)[body] + 1e-5).all()
    assert (result[body] >= every.min(axis=0)[body] - 1e-5).all()


def test_a_district_that_was_not_added_is_zero_and_does_not_dim_its_neighbour():
    labels = label_volume(territories((14, 13, 12), 2, seed=5))
    stitcher = Stitcher(labels, 12.0)
    stitcher.add(labels.with_array(np.full(labels.grid.shape, 3.0, np.float32)), [1])
    result = stitcher.result().array
    assert (result[labels.array == 1] == 3).all()
    inner = border_weight(labels.array == 1, labels.array == 2, labels.grid.spacing, 12.0) == 0
    assert (result[inner] == 0).all()


def test_a_district_of_several_labels_is_one():
    labels = label_volume(territories((14, 13, 12), 3, seed=6))
    pet = noise_like(labels, 0)
    stitcher = Stitcher(labels, 12.0)
    stitcher.add(pet, [1, 2, 3])
    np.testing.assert_array_equal(stitcher.result().array, np.where(labels.array > 0, pet.array, 0))


def test_another_grid_is_interpolated_in_physical_space():
    """A linear function of the position is the same on every grid."""
    labels = label_volume(np.ones((12, 12, 12), np.uint8), (3.0, 3.0, 3.0))
    source = Grid((20, 20, 20), (2.5, 2.5, 2.5), (-10.0, 2.0, 8.0))

    def ramp(grid):
        index = np.stack([*np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")[::-1], np.ones(grid.shape)])
        x, y, z, _ = np.einsum("ij,jzyx->izyx", grid.affine, index)
        return (100 + x - 0.5 * y + 0.25 * z).astype(np.float32)

    stitcher = Stitcher(labels)
    stitcher.add(Volume(ramp(source), source), [1])
    np.testing.assert_allclose(stitcher.result().array, ramp(labels.grid), rtol=1e-5)


def organs_like(volume, seed):
    values = np.random.default_rng(seed).integers(0, 20, volume.grid.shape).astype(np.uint8)
    return volume.with_array(values, "label")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 4), st.integers(0, 99), st.sampled_from([1, 2**22]))
def test_label_maps_are_stitched_as_a_choice_by_district(number, seed, slab_voxels):
    """Each voxel has the label of its own district, whatever the others say of it; the order does not matter."""
    districts = label_volume(territories((13, 12, 11), number, seed))
    expected = np.zeros(districts.grid.shape, np.uint8)
    for order in (1, -1):
        stitcher = LabelStitcher(districts, np.dtype(np.uint8))
        for label in range(1, number + 1)[::order]:
            organs = organs_like(districts, label)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(stitching, "_SLAB_VOXELS", slab_voxels)
                stitcher.add(organs, [label])
            expected = np.where(districts.array == label, organs.array, expected)
        result = stitcher.result()
        np.testing.assert_array_equal(result.array, expected)
        assert (result.array.dtype, result.unit) == (np.uint8, "label")


def test_a_label_map_of_one_district_leaves_the_others_background():
    districts = label_volume(territories((13, 12, 11), 3))
    organs = organs_like(districts, 0)
    stitcher = LabelStitcher(districts, np.dtype(np.uint16))
    stitcher.add(organs, [1, 3])
    stitcher.add(organs, [9])  # occurs nowhere
    expected = np.where(np.isin(districts.array, [1, 3]), organs.array, 0)
    np.testing.assert_array_equal(stitcher.result().array, expected)
    assert stitcher.result().array.dtype == np.uint16


def test_label_maps_come_from_another_grid_by_nearest_neighbour():
    """Labels by a plane in space: no label between two others appears at their border, and both sides are right."""
    districts = label_volume(np.ones((12, 12, 12), np.uint8), (3.0, 3.0, 3.0))
    source = Grid((40, 40, 40), (1.5, 1.5, 1.5), (-12.0, 0.0, 6.0))

    def distance(grid):
        """From a plane, in mm."""
        index = np.stack([*np.indices(grid.shape)[::-1], np.ones(grid.shape)])
        x, y, z, _ = np.einsum("ij,jzyx->izyx", grid.affine, index)
        return (0.6 * (x - 9) + 0.8 * (z - 27)) + 0 * y

    labels = np.where(distance(source) > 0, 17, 3).astype(np.uint8)
    stitcher = LabelStitcher(districts, np.dtype(np.uint8))
    stitcher.add(Volume(labels, source, "label"), [1])
    found, expected = stitcher.result().array, np.where(distance(districts.grid) > 0, 17, 3)
    clear = np.abs(distance(districts.grid)) > 1.5 * np.sqrt(3) / 2
    assert set(np.unique(found)) == {3, 17}
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(found[clear], expected[clear])


@pytest.mark.parametrize("direction", [Grid((1, 1, 1), (1, 1, 1)).direction, TURNED, FLIPPED_AND_PERMUTED])
def test_the_output_grid_covers_the_ct_in_its_own_orientation(direction):
    ct = Grid((40, 50, 60), (1.0, 2.0, 3.0), (10.0, -20.0, 30.0), direction)
    grid = output_grid(ct, (6.0, 5.0, 4.0))
    np.testing.assert_allclose(grid.direction, direction, atol=1e-12)
    assert grid.to_canonical().spacing == (6.0, 5.0, 4.0)
    assert ct.overlap(grid) > 0.85
    assert grid.overlap(ct) > 0.85
    assert output_grid(ct, ct.to_canonical().spacing).matches(ct)
