import weakref

import numpy as np
import pytest
import torch
from hand_models import Scaled, expected_suv, hand_configuration, scaled, two_district_case
from scipy.ndimage import distance_transform_edt
from tiny import FIELDS
from two_targets import TWO_OF_BOTH, ScaledAndThresholded, expected_organs, expected_pet, two_target_configuration

from ct2pet.errors import Ct2PetError, DatasetError, GeometryError
from ct2pet.inference.predictor import Continuation, DistrictModels, Predictor
from ct2pet.inference.stitching import output_grid
from ct2pet.inference.volumes import WindowOptions
from ct2pet.planning.configuration import Masking
from ct2pet.resampling import resample
from ct2pet.volume import Grid, Volume

TURNED = (0.8, 0.0, 0.6, 0.0, 1.0, 0.0, -0.6, 0.0, 0.8)
FLIPPED_AND_PERMUTED = (0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
FLIPPED_AND_TURNED = (-0.8, 0.0, 0.6, 0.0, -1.0, 0.0, 0.6, 0.0, 0.8)


def districts(first=(1.0,), second=(1.0,), kind=Scaled, **changes):
    low, high = (hand_configuration(labels=[label], **changes) for label in (1, 2))
    return [
        DistrictModels("low", low, [scaled(factor, low, kind) for factor in first]),
        DistrictModels("high", high, [scaled(factor, high, kind) for factor in second]),
    ]


def predict(parts, ct, labels, grid, progress=None, **options):
    """The PET of a CT."""
    return Predictor(parts, FIELDS, **options).predict({"CT": ct}, labels, grid, progress)["PET"]


def test_each_district_is_predicted_by_its_own_model():
    ct, labels = two_district_case()
    pet = predict(districts((0.5,), (2.0,)), ct, labels, ct.grid)
    expected = np.select([labels.array == 1, labels.array == 2], [expected_suv(ct.array, f) for f in (0.5, 2.0)], 0)
    np.testing.assert_allclose(pet.array, expected, atol=1e-4)
    assert pet.array.dtype == np.float32
    assert pet.unit == "SUV"
    assert (pet.array[labels.array == 0] == 0).all()


@pytest.mark.parametrize("direction", [TURNED, FLIPPED_AND_PERMUTED, FLIPPED_AND_TURNED])
def test_the_orientation_of_a_ct_is_preserved(direction):
    ct, labels = two_district_case(direction=direction)
    grid = output_grid(ct.grid, (4.0, 4.0, 4.0))
    pet = predict(districts(), ct, labels, grid)
    assert pet.grid.matches(ct.grid)
    np.testing.assert_allclose(pet.array, np.where(labels.array > 0, expected_suv(ct.array), 0), atol=1e-4)


@pytest.mark.parametrize("blend_mm", [0.0, 10.0])
def test_stored_orientation_changes_nothing_in_space(blend_mm):
    """The same patient, stored in two ways: the same PET, to the last bit."""
    ct, labels = two_district_case(spacing=(3.0, 2.5, 2.0))
    other = Grid((1, 1, 1), (1, 1, 1), (0, 0, 0), FLIPPED_AND_PERMUTED)
    parts = districts((1.0,), (0.3,))
    one = predict(parts, ct, labels, output_grid(ct.grid, (4.0, 4.0, 4.0)), blend_mm=blend_mm)
    turned, map_ = ct.reorient_like(other), labels.reorient_like(other)
    two = predict(parts, turned, map_, output_grid(turned.grid, (4.0, 4.0, 4.0)), blend_mm=blend_mm)
    np.testing.assert_allclose(two.grid.direction, FLIPPED_AND_PERMUTED, atol=1e-12)
    np.testing.assert_array_equal(two.to_canonical().array, one.array)
    assert two.grid.to_canonical().matches(one.grid)


@pytest.mark.parametrize("masking", [Masking("hard", 0.0), Masking("context", 12.0)])
@pytest.mark.parametrize("blend_mm", [0.0, 8.0])
def test_a_constant_body_is_constant_up_to_its_surface_on_every_grid(masking, blend_mm):
    """Neither interpolation nor blending may meet the zeros that lie around a district."""
    ct, labels = two_district_case(spacing=(3.0, 2.5, 2.0))
    ct = ct.with_array(np.full_like(ct.array, 200.0))
    parts = districts(masking=masking)
    finer = ct.grid.with_spacing((1.5, 2.0, 3.3))
    like = Grid((15, 12, 13), (3.7, 2.9, 3.1), (-29.0, 14.0, 46.0), TURNED)
    for grid in (ct.grid, output_grid(ct.grid, (4.0, 4.0, 4.0)), finer, like):
        pet = predict(parts, ct, labels, grid, blend_mm=blend_mm).array
        assert (pet > 0).any()
        np.testing.assert_allclose(pet[pet != 0], expected_suv(200.0), atol=1e-4)


def test_blending_is_a_ramp_across_the_border_between_the_districts_values():
    ct, labels = two_district_case(spacing=(4.0, 4.0, 4.0))
    ct = ct.with_array(np.full_like(ct.array, 0.0))
    parts = districts((1.0,), (0.2,), masking=Masking("context", 12.0))
    profile = predict(parts, ct, labels, ct.grid, blend_mm=16.0).array[:, 8, 7]
    np.testing.assert_allclose(profile, [0, 0, *[5.0] * 6, 4.5, 3.5, 2.5, 1.5, *[1.0] * 6, 0, 0], atol=1e-4)


def test_folds_are_averaged():
    ct, labels = two_district_case()
    pet = predict(districts((0.5, 1.0, 3.0), (2.0, 1.0)), ct, labels, ct.grid)
    expected = np.select([labels.array == 1, labels.array == 2], [expected_suv(ct.array, 1.5)] * 2, 0)
    np.testing.assert_allclose(pet.array, expected, rtol=1e-5, atol=1e-4)


class LeftHeavy(Scaled):
    """Looks one voxel to the side: not the same when mirrored."""

    def translate(self, inputs):
        return self.factor * (inputs.roll(1, dims=-1) + 1) / 2


def test_mirroring_averages_over_the_flips_of_the_configuration():
    ct, labels = two_district_case()
    one = districts(kind=LeftHeavy, patch_size=[16, 16, 16], mirror_axes=[2])
    inner = labels.array[:, :, 3:-3] > 0
    plain = predict(one, ct, labels, ct.grid, windows=WindowOptions(mirror=False)).array[:, :, 3:-3]
    both = predict(one, ct, labels, ct.grid, windows=WindowOptions(mirror=True)).array[:, :, 3:-3]
    left, right = expected_suv(ct.array[:, :, 2:-4]), expected_suv(ct.array[:, :, 4:-2])
    np.testing.assert_allclose(plain[inner], left[inner], atol=1e-4)
    np.testing.assert_allclose(both[inner], ((left + right) / 2)[inner], atol=1e-4)


class Counting(Scaled):
    seen = 0

    def translate(self, inputs):
        type(self).seen += len(inputs)
        return super().translate(inputs)


def test_a_step_size_replaces_the_overlap_of_the_plans():
    ct, labels = two_district_case()
    seen = []
    for step_size in (None, 0.5, 1.0):
        Counting.seen = 0
        parts = districts(kind=Counting, patch_size=[4, 4, 4])
        predict(parts, ct, labels, ct.grid, windows=WindowOptions(step_size))
        seen.append(Counting.seen)
    assert seen[0] == seen[1] > seen[2]


def test_negative_values_become_zero():
    ct, labels = two_district_case()
    pet = predict(districts((-1.0,), (1.0,)), ct, labels, ct.grid)
    assert (pet.array[labels.array == 1] == 0).all()
    assert (pet.array[labels.array == 2] > 0).all()


def test_a_district_that_the_case_lacks_is_omitted_and_progress_still_adds_up_to_one():
    ct, labels = two_district_case()
    labels = labels.with_array(np.where(labels.array == 2, labels.array, 0))
    shares = []
    pet = predict(districts(), ct, labels, ct.grid, shares.append)
    assert (pet.array > 0).sum() == (labels.array > 0).sum()
    assert sum(shares) == pytest.approx(1)


def test_a_map_without_the_districts_or_elsewhere_in_space_is_refused():
    ct, labels = two_district_case()
    with pytest.raises(DatasetError, match="no voxel of low, high"):
        predict(districts(), ct, labels.with_array(labels.array * 7), ct.grid)
    away = Volume(labels.array, Grid(labels.grid.shape, labels.grid.spacing, (900.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="does not overlap"):
        predict(districts(), ct, away, ct.grid)
    with pytest.raises(GeometryError, match="the grid of the prediction contains no voxel of the districts"):
        predict(districts(), ct, labels, Grid(ct.grid.shape, ct.grid.spacing, (900.0, 0.0, 0.0)))


def test_values_that_are_no_numbers_are_refused():
    ct, labels = two_district_case()
    with pytest.raises(Ct2PetError, match="high predicted NaN"):
        predict(districts((1.0,), (float("nan"),)), ct, labels, ct.grid)


def test_models_are_put_into_evaluation_mode_and_keep_no_gradients():
    ct, labels = two_district_case()
    parts = districts()
    predict(parts, ct, labels, ct.grid)
    assert not any(model.training for part in parts for model in part.models)
    assert torch.is_grad_enabled()


def two_target_districts(low_bias=(0.0, 0.0, 0.0), high_bias=(0.0, 0.0, 0.0), **changes):
    """Districts of a method that gives a PET and organs; ``bias``: of background, liver and spleen."""
    parts = []
    for name, label, bias in (("low", 1, low_bias), ("high", 2, high_bias)):
        configuration = two_target_configuration(labels=[label], **changes)
        model = ScaledAndThresholded(configuration, TWO_OF_BOTH)
        model.bias.data = torch.tensor(bias)
        parts.append(DistrictModels(name, configuration, [model]))
    return parts


def predict_both(parts, ct, labels, grid, **options):
    """PET and organs from a CT, and a low-dose PET that is known from it."""
    low_dose = ct.with_array((ct.array + 500) / 200, "SUV")
    return Predictor(parts, TWO_OF_BOTH, **options).predict({"CT": ct, "low_dose": low_dose}, labels, grid)


@pytest.mark.parametrize("direction", [None, TURNED, FLIPPED_AND_PERMUTED, FLIPPED_AND_TURNED])
def test_labels_come_out_in_the_geometry_of_the_ct_exactly(direction):
    ct, labels = two_district_case(direction=direction)
    found = predict_both(two_target_districts(), ct, labels, output_grid(ct.grid, (4.0, 4.0, 4.0)))
    assert found["organs"].grid.matches(ct.grid)
    assert found["organs"].unit == "label"
    assert found["organs"].array.dtype == np.uint8
    body = labels.array > 0
    np.testing.assert_array_equal(found["organs"].array, np.where(body, expected_organs(ct.array), 0))
    expected = np.where(body, expected_pet((ct.array + 500) / 200), 0)
    np.testing.assert_allclose(found["PET"].array, expected, atol=1e-4)


@pytest.mark.parametrize("direction", [TURNED, FLIPPED_AND_PERMUTED])
def test_labels_come_to_another_grid_by_nearest_neighbour_in_physical_space(direction):
    ct, labels = two_district_case(direction=FLIPPED_AND_TURNED)
    centre = ct.grid.affine @ [*((n - 1) / 2 for n in ct.grid.shape[::-1]), 1]
    like = Grid((22, 25, 21), (3.1, 2.3, 2.7), (0.0, 0.0, 0.0), direction)
    shift = centre[:3] - (like.affine @ [*((n - 1) / 2 for n in like.shape[::-1]), 1])[:3]
    like = Grid(like.shape, like.spacing, tuple(shift), direction)
    organs = predict_both(two_target_districts(), ct, labels, like)["organs"]
    voxels = np.stack([*np.indices(like.shape)[::-1], np.ones(like.shape)])
    place = np.einsum("ij,jzyx->izyx", np.linalg.inv(ct.grid.affine) @ like.affine, voxels)[2::-1]
    nearest = np.rint(place).astype(int)
    inside = np.all([(index >= 0) & (index < n) for index, n in zip(nearest, ct.grid.shape)], axis=0)
    clear = inside & (np.abs(place - np.floor(place) - 0.5).min(axis=0) > 1e-3)
    at = tuple(index[clear] for index in nearest)
    expected = np.where(labels.array > 0, expected_organs(ct.array), 0)[at]
    assert clear.sum() > 5000
    assert len(np.unique(expected)) == 3
    np.testing.assert_array_equal(organs.array[clear], expected)
    assert (organs.array[~inside] == 0).all()


@pytest.mark.parametrize("blend_mm", [0.0, 16.0])
def test_every_voxel_has_the_label_of_its_own_district_with_blending_too(blend_mm):
    ct, labels = two_district_case()
    parts = two_target_districts((0.0, 9.0, 0.0), (0.0, 0.0, 9.0), masking=Masking("context", 12.0))
    organs = predict_both(parts, ct, labels, ct.grid, blend_mm=blend_mm)["organs"]
    np.testing.assert_array_equal(organs.array, labels.array)


@pytest.mark.parametrize("masking", [Masking("hard", 0.0), Masking("context", 12.0)])
def test_a_body_of_one_label_has_it_up_to_its_surface_and_across_districts_on_every_grid(masking):
    ct, labels = two_district_case(spacing=(3.0, 2.5, 2.0))
    parts = two_target_districts((0.0, 0.0, 9.0), (0.0, 0.0, 9.0), masking=masking)
    finer = ct.grid.with_spacing((1.5, 2.0, 3.3))
    like = Grid((15, 12, 13), (3.7, 2.9, 3.1), (-29.0, 14.0, 46.0), TURNED)
    for grid in (ct.grid, output_grid(ct.grid, (4.0, 4.0, 4.0)), finer, like):
        organs = predict_both(parts, ct, labels, grid)["organs"].array
        body = resample(labels, grid, labels=True).array > 0
        assert body.any()
        np.testing.assert_array_equal(organs, np.where(body, 2, 0))


def test_continued_keeps_the_region_and_repeats_the_nearest_value_around_it():
    random = np.random.default_rng(1)
    grid = Grid((6, 7, 8), (4.0, 3.0, 2.0), (5.0, -3.0, 1.0), TURNED)
    region = np.zeros(grid.shape, bool)
    region[1:5, 2:5, 0:6] = random.random((4, 3, 6)) > 0.3
    volume = Volume(random.normal(size=grid.shape).astype(np.float32), grid, "SUV")
    numbers = Volume(np.arange(region.size, dtype=np.uint16).reshape(grid.shape), grid, "label")
    both = Continuation(volume.grid, region, 5.0)({"PET": volume, "organs": numbers})
    wider = both["PET"]
    assert both["organs"].array.dtype == np.uint16
    assert {(one.unit, one.grid) for one in both.values()} == {("SUV", wider.grid), ("label", wider.grid)}
    np.testing.assert_array_equal(wider.array, volume.array.ravel()[both["organs"].array])
    margin = (4, 4, 5)
    assert wider.grid.shape == tuple(n + 2 * m for n, m in zip(grid.shape, margin))
    inner = tuple(slice(m, -m) for m in margin)
    np.testing.assert_array_equal(wider.array[inner][region], volume.array[region])
    assert set(np.unique(wider.array)) <= set(volume.array[region])
    x, y, z = (int(m) for m in margin[::-1])
    np.testing.assert_allclose(wider.grid.affine @ [x, y, z, 1], grid.affine @ [0, 0, 0, 1])
    distance = distance_transform_edt(~np.pad(region, [(m, m) for m in margin]), sampling=grid.spacing)
    place = np.argwhere(region) + margin
    for voxel in random.integers(0, wider.grid.shape, (40, 3)):
        gaps = np.linalg.norm((place - voxel) * grid.spacing, axis=1)
        nearest = volume.array[region][gaps <= distance[tuple(voxel)] + 1e-6]
        assert wider.array[tuple(voxel)] in nearest


class RecordsWhetherTheCtIsInMemory(Scaled):
    ct = None
    in_memory = ()

    def translate(self, inputs):
        type(self).in_memory += (self.ct() is not None,)
        return super().translate(inputs)


def test_the_inputs_are_released_before_the_networks_of_the_last_district_compute():
    ct, labels = two_district_case()
    parts = districts(kind=RecordsWhetherTheCtIsInMemory)
    inputs = {"CT": ct}
    RecordsWhetherTheCtIsInMemory.ct, RecordsWhetherTheCtIsInMemory.in_memory = weakref.ref(ct.array), ()
    grid = ct.grid
    del ct
    Predictor(parts, FIELDS).predict(inputs, labels, grid)
    seen = RecordsWhetherTheCtIsInMemory.in_memory
    assert inputs == {}
    assert seen == tuple(sorted(seen, reverse=True))
    assert {*seen} == {True, False}
