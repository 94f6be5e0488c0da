import numpy as np
import pytest
import torch
from hand_models import Scaled, expected_suv, hand_configuration, scaled, two_district_case
from scipy.ndimage import distance_transform_edt

from ct2pet.errors import Ct2PetError, DatasetError, GeometryError
from ct2pet.inference.predictor import DistrictModels, Predictor, continued
from ct2pet.inference.stitching import output_grid
from ct2pet.planning.configuration import Masking
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


def test_every_district_gets_its_own_model_exactly():
    ct, labels = two_district_case()
    pet = Predictor(districts((0.5,), (2.0,))).predict(ct, labels, ct.grid)
    expected = np.select([labels.array == 1, labels.array == 2], [expected_suv(ct.array, f) for f in (0.5, 2.0)], 0)
    np.testing.assert_allclose(pet.array, expected, atol=1e-4)
    assert pet.array.dtype == np.float32
    assert pet.unit == "SUV"
    assert (pet.array[labels.array == 0] == 0).all()


@pytest.mark.parametrize("direction", [TURNED, FLIPPED_AND_PERMUTED, FLIPPED_AND_TURNED])
def test_a_ct_of_any_orientation_comes_out_as_it_came_in(direction):
    ct, labels = two_district_case(direction=direction)
    grid = output_grid(ct.grid, (4.0, 4.0, 4.0))
    pet = Predictor(districts()).predict(ct, labels, grid)
    assert pet.grid.matches(ct.grid)
    np.testing.assert_allclose(pet.array, np.where(labels.array > 0, expected_suv(ct.array), 0), atol=1e-4)


@pytest.mark.parametrize("blend_mm", [0.0, 10.0])
def test_stored_orientation_changes_nothing_in_space(blend_mm):
    """The same patient, stored in two ways: the same PET, to the last bit."""
    ct, labels = two_district_case(spacing=(3.0, 2.5, 2.0))
    other = Grid((1, 1, 1), (1, 1, 1), (0, 0, 0), FLIPPED_AND_PERMUTED)
    predictor = Predictor(districts((1.0,), (0.3,)), blend_mm=blend_mm)
    one = predictor.predict(ct, labels, output_grid(ct.grid, (4.0, 4.0, 4.0)))
    turned = ct.reorient_like(other)
    two = predictor.predict(turned, labels.reorient_like(other), output_grid(turned.grid, (4.0, 4.0, 4.0)))
    np.testing.assert_allclose(two.grid.direction, FLIPPED_AND_PERMUTED, atol=1e-12)
    np.testing.assert_array_equal(two.to_canonical().array, one.array)
    assert two.grid.to_canonical().matches(one.grid)


@pytest.mark.parametrize("masking", [Masking("hard", 0.0), Masking("context", 12.0)])
@pytest.mark.parametrize("blend_mm", [0.0, 8.0])
def test_a_constant_body_is_constant_up_to_its_surface_on_every_grid(masking, blend_mm):
    """Neither interpolation nor blending may meet the zeros that lie around a district."""
    ct, labels = two_district_case(spacing=(3.0, 2.5, 2.0))
    ct = ct.with_array(np.full_like(ct.array, 200.0))
    predictor = Predictor(districts(masking=masking), blend_mm=blend_mm)
    finer = ct.grid.with_spacing((1.5, 2.0, 3.3))
    like = Grid((15, 12, 13), (3.7, 2.9, 3.1), (-29.0, 14.0, 46.0), TURNED)
    for grid in (ct.grid, output_grid(ct.grid, (4.0, 4.0, 4.0)), finer, like):
        pet = predictor.predict(ct, labels, grid).array
        assert (pet > 0).any()
        np.testing.assert_allclose(pet[pet != 0], expected_suv(200.0), atol=1e-4)


def test_blending_is_a_ramp_across_the_border_between_the_districts_values():
    ct, labels = two_district_case(spacing=(4.0, 4.0, 4.0))
    ct = ct.with_array(np.full_like(ct.array, 0.0))
    predictor = Predictor(districts((1.0,), (0.2,), masking=Masking("context", 12.0)), blend_mm=16.0)
    profile = predictor.predict(ct, labels, ct.grid).array[:, 8, 7]
    np.testing.assert_allclose(profile, [0, 0, *[5.0] * 6, 4.5, 3.5, 2.5, 1.5, *[1.0] * 6, 0, 0], atol=1e-4)


def test_folds_are_averaged():
    ct, labels = two_district_case()
    pet = Predictor(districts((0.5, 1.0, 3.0), (2.0, 1.0))).predict(ct, labels, ct.grid)
    expected = np.select([labels.array == 1, labels.array == 2], [expected_suv(ct.array, 1.5)] * 2, 0)
    np.testing.assert_allclose(pet.array, expected, rtol=1e-5, atol=1e-4)


class LeftHeavy(Scaled):
    """Looks one voxel to the side: not the same when mirrored."""

    def translate(self, ct):
        return self.factor * (ct.roll(1, dims=-1) + 1) / 2


def test_mirroring_averages_over_the_flips_of_the_configuration():
    ct, labels = two_district_case()
    one = districts(kind=LeftHeavy, patch_size=[16, 16, 16], mirror_axes=[2])
    inner = labels.array[:, :, 3:-3] > 0
    plain = Predictor(one, mirror=False).predict(ct, labels, ct.grid).array[:, :, 3:-3]
    both = Predictor(one, mirror=True).predict(ct, labels, ct.grid).array[:, :, 3:-3]
    left, right = expected_suv(ct.array[:, :, 2:-4]), expected_suv(ct.array[:, :, 4:-2])
    np.testing.assert_allclose(plain[inner], left[inner], atol=1e-4)
    np.testing.assert_allclose(both[inner], ((left + right) / 2)[inner], atol=1e-4)


class Counting(Scaled):
    seen = 0

    def translate(self, ct):
        type(self).seen += len(ct)
        return super().translate(ct)


def test_a_step_size_replaces_the_overlap_of_the_plans():
    ct, labels = two_district_case()
    seen = []
    for step_size in (None, 0.5, 1.0):
        Counting.seen = 0
        Predictor(districts(kind=Counting, patch_size=[4, 4, 4]), step_size=step_size).predict(ct, labels, ct.grid)
        seen.append(Counting.seen)
    assert seen[0] == seen[1] > seen[2]


def test_negative_values_become_zero():
    ct, labels = two_district_case()
    pet = Predictor(districts((-1.0,), (1.0,))).predict(ct, labels, ct.grid)
    assert (pet.array[labels.array == 1] == 0).all()
    assert (pet.array[labels.array == 2] > 0).all()


def test_a_district_that_the_case_lacks_is_left_out_and_its_share_of_the_progress_is_told():
    ct, labels = two_district_case()
    labels = labels.with_array(np.where(labels.array == 2, labels.array, 0))
    shares = []
    pet = Predictor(districts()).predict(ct, labels, ct.grid, shares.append)
    assert (pet.array > 0).sum() == (labels.array > 0).sum()
    assert sum(shares) == pytest.approx(1)


def test_a_map_without_the_districts_or_elsewhere_in_space_is_refused():
    ct, labels = two_district_case()
    with pytest.raises(DatasetError, match="no voxel of low, high"):
        Predictor(districts()).predict(ct, labels.with_array(labels.array * 7), ct.grid)
    away = Volume(labels.array, Grid(labels.grid.shape, labels.grid.spacing, (900.0, 0.0, 0.0)))
    with pytest.raises(GeometryError, match="does not overlap"):
        Predictor(districts()).predict(ct, away, ct.grid)


def test_values_that_are_no_numbers_are_refused():
    ct, labels = two_district_case()
    with pytest.raises(Ct2PetError, match="high gave values that are not numbers"):
        Predictor(districts((1.0,), (float("nan"),))).predict(ct, labels, ct.grid)


def test_models_are_put_into_evaluation_mode_and_keep_no_gradients():
    ct, labels = two_district_case()
    parts = districts()
    Predictor(parts).predict(ct, labels, ct.grid)
    assert not any(model.training for part in parts for model in part.models)
    assert torch.is_grad_enabled()


def test_continued_keeps_the_region_and_repeats_the_nearest_value_around_it():
    random = np.random.default_rng(1)
    grid = Grid((6, 7, 8), (4.0, 3.0, 2.0), (5.0, -3.0, 1.0), TURNED)
    region = np.zeros(grid.shape, bool)
    region[1:5, 2:5, 0:6] = random.random((4, 3, 6)) > 0.3
    volume = Volume(random.normal(size=grid.shape).astype(np.float32), grid, "SUV")
    wider = continued(volume, region, 5.0)
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
