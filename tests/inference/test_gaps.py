"""Parts of a district that no voxel of the plan's grid meets."""

import numpy as np
import pytest
from hand_models import Scaled, expected_suv, hand_configuration, scaled
from tiny import FIELDS
from two_targets import TWO_OF_BOTH, ScaledAndThresholded, two_target_configuration

from ct2pet.inference.gaps import Gaps
from ct2pet.inference.predictor import DistrictModels, Predictor
from ct2pet.planning.configuration import Masking
from ct2pet.volume import Box, Grid, Volume

TURNED = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
LOW, HIGH = 0.5, 2.0  # factors of the two districts


def body(nz=42, slice_mm=1.0, direction=None):
    """A CT of 100 HU and its map: all of it in the district low (1) of voxels of 4 mm."""
    grid = Grid((nz, 12, 12), (slice_mm, 4.0, 4.0), (5.0, -7.0, 11.0), direction or Grid((1,) * 3, (1,) * 3).direction)
    labels = np.zeros(grid.shape, np.uint8)
    labels[:, 2:-2, 2:-2] = 1
    return Volume(np.full(grid.shape, 100.0, np.float32), grid, "HU"), Volume(labels, grid, "label")


def predict(ct, labels, blend_mm=0.0, names=("low", "high"), grid=None, **changes):
    parts = []
    for name, label, factor in (("low", 1, LOW), ("high", 2, HIGH)):
        configuration = hand_configuration(labels=[label], **changes)
        if name in names:
            parts.append(DistrictModels(name, configuration, [scaled(factor, configuration, Scaled)]))
    return Predictor(parts, FIELDS, blend_mm=blend_mm).predict({"CT": ct}, labels, grid or ct.grid)["PET"]


def thin_top(labels):
    array = labels.array.copy()
    array[-1][array[-1] > 0] = 2
    return labels.with_array(array)


def far_speck(labels):
    """One voxel of high far from the rest of high."""
    array = labels.array.copy()
    array[:8][array[:8] > 0] = 2
    array[33, 5, 5] = 2
    return labels.with_array(array)


@pytest.mark.parametrize("direction", [None, TURNED])
@pytest.mark.parametrize("blend_mm", [0.0, 8.0])
@pytest.mark.parametrize("masking", [Masking("hard", 0.0), Masking("context", 12.0)])
def test_a_thin_part_is_predicted_as_its_surroundings(blend_mm, masking, direction):
    ct, labels = body(direction=direction)
    pet = predict(ct, thin_top(labels), blend_mm, masking=masking)
    np.testing.assert_array_equal(pet.array, predict(ct, labels, blend_mm, masking=masking).array)
    np.testing.assert_allclose(pet.array, np.where(labels.array, expected_suv(100.0, LOW), 0), rtol=1e-5)


@pytest.mark.parametrize("blend_mm", [0.0, 8.0])
def test_a_speck_far_from_its_district_is_predicted_as_its_surroundings(blend_mm):
    ct, labels = body()
    with_speck = far_speck(labels)
    pet = predict(ct, with_speck, blend_mm).array
    without = with_speck.array.copy()
    without[33, 5, 5] = 1
    np.testing.assert_array_equal(pet, predict(ct, with_speck.with_array(without), blend_mm).array)
    assert pet[33, 5, 5] == pytest.approx(expected_suv(100.0, LOW), rel=1e-5)


def test_gaps_of_label_maps_have_the_label_of_their_surroundings():
    ct, labels = body()
    parts = []
    for name, label in (("low", 1), ("high", 2)):
        configuration = two_target_configuration(labels=[label])
        model = ScaledAndThresholded(configuration, TWO_OF_BOTH)
        model.bias.data[label] = 9
        parts.append(DistrictModels(name, configuration, [model]))
    inputs = {"CT": ct, "low_dose": ct.with_array(np.ones_like(ct.array), "SUV")}
    organs = Predictor(parts, TWO_OF_BOTH).predict(inputs, thin_top(labels), ct.grid)["organs"]
    np.testing.assert_array_equal(organs.array, labels.array)


def test_a_district_without_a_model_stays_empty():
    ct, labels = body()
    with_top = thin_top(labels)
    pet = predict(ct, with_top, names=("low",)).array
    np.testing.assert_array_equal(pet > 0, with_top.array == 1)


def test_nothing_is_filled_outside_of_the_ct():
    ct, labels = body()
    pet = predict(ct.crop(Box((0, 0, 0), (16, 12, 12))), labels, grid=labels.grid).array
    assert (pet[:16][labels.array[:16] > 0] > 0).all()
    assert (pet[30:] == 0).all()


def test_gaps_take_the_nearest_predicted_voxel_in_mm():
    random = np.random.default_rng(2)
    grid = Grid((9, 10, 11), (2.0, 1.0, 3.0), (4.0, 5.0, -6.0), TURNED)
    labels = Volume(random.integers(0, 4, grid.shape).astype(np.uint8), grid, "label")
    part = Box((0, 0, 0), (9, 4, 11))
    gaps = Gaps.of(labels, [([1], grid), ([2], None), ([3], grid.crop(part))], grid)
    inside_part = np.zeros(grid.shape, bool)
    inside_part[part.slices] = True
    expected = (labels.array == 2) | ((labels.array == 3) & ~inside_part)
    np.testing.assert_array_equal(np.argwhere(expected), sorted(gaps.voxels.tolist()))
    np.testing.assert_array_equal(gaps.district_map.array, np.where(expected, 0, labels.array))
    predicted = np.argwhere(gaps.district_map.array > 0)
    for voxel, source in zip(gaps.voxels, gaps.nearest):
        distances = np.linalg.norm((predicted - voxel) * grid.spacing, axis=1)
        assert source.tolist() in predicted[distances <= distances.min() + 1e-9].tolist()
    values = random.random(grid.shape)
    filled = values.copy()
    gaps.fill(filled)
    np.testing.assert_array_equal(filled[~expected], values[~expected])
    np.testing.assert_array_equal(filled[tuple(gaps.voxels.T)], values[tuple(gaps.nearest.T)])


@pytest.mark.parametrize(
    "predicted", [[([1], "all"), ([2], "all")], [([1], None), ([2], None)], [([3], None), ([1], "all")], []]
)
def test_without_gaps_or_predictions_the_map_is_unchanged(predicted):
    _, labels = body()
    gaps = Gaps.of(labels, [(own, labels.grid if grid else None) for own, grid in predicted], labels.grid)
    assert gaps.district_map is labels
    assert not len(gaps.voxels)
