from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from ct2pet.errors import DatasetError
from ct2pet.inference.occlusion import BLUR, REPLACE, Occlusion, hide
from ct2pet.phantom import COARSE, LABELS, Lesion, make_patient, scan
from ct2pet.volume import Grid, Volume

GRID = Grid((24, 20, 22), (4.0, 4.0, 4.0))


def ball(radius, centre=(12, 10, 11)):
    return sum((axis - c) ** 2 for axis, c in zip(np.indices(GRID.shape), centre)) <= radius**2


def image(inside, outside, mask):
    return Volume(np.where(mask, inside, outside).astype(np.float32), GRID, "HU")


@pytest.mark.parametrize("how", [REPLACE, BLUR])
def test_only_the_region_is_changed(how):
    volume = Volume(np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32), GRID, "HU")
    hidden = hide(volume, ball(4), how).array
    np.testing.assert_array_equal(hidden[~ball(4)], volume.array[~ball(4)])
    assert (hidden[ball(4)] != volume.array[ball(4)]).any()


def test_a_region_in_uniform_surroundings_takes_their_value():
    hidden = hide(image(80.0, 10.0, ball(4)), ball(4), REPLACE).array
    np.testing.assert_allclose(hidden, 10.0, atol=1e-4)


def test_a_blurred_region_loses_contrast_and_keeps_some():
    mask = ball(4)
    hidden = hide(image(80.0, 10.0, mask), mask, BLUR).array
    assert 10 < hidden[mask].mean() < 75


@pytest.mark.parametrize("how", [REPLACE, BLUR])
def test_occlusion_of_a_region_equal_to_its_surroundings_changes_nothing(how):
    volume = image(10.0, 10.0, ball(4))
    np.testing.assert_allclose(hide(volume, ball(4), how).array, volume.array, atol=1e-4)


def test_the_whole_image_cannot_be_replaced():
    with pytest.raises(DatasetError, match="nothing surrounds it"):
        hide(image(1.0, 1.0, ball(4)), np.ones(GRID.shape, bool), REPLACE)


class Predicted:
    """What Occlusion asks of a Reprediction, without networks: ``of`` makes the prediction's array of an image."""

    def __init__(self, of, volume, districts=None):
        self.of = of
        self.usual = volume.with_array(of(volume.array), "SUV")
        self.districts = districts or Volume(np.ones(volume.grid.shape, np.uint8), volume.grid, "label")

    def with_image(self, changed, box):
        return self.of(changed.array)[box.slices]


def linear(array):
    """A prediction that each voxel of the CT decides alone: 1 SUV for 100 HU above -1000."""
    return (array + 1000) / np.float32(100)


def test_the_effect_of_a_region_is_the_contrast_that_was_taken_from_it():
    mask = ball(4)
    volume, change = image(80.0, 10.0, mask), np.zeros(GRID.shape, np.float32)
    effect = Occlusion(volume, Predicted(linear, volume), REPLACE).effect("lesion", mask, change)
    assert effect.volume_ml == pytest.approx(mask.sum() * 0.064)
    assert (effect.mean, effect.mean_hidden) == (pytest.approx(10.8), pytest.approx(10.1, abs=1e-5))
    assert effect.change_inside == pytest.approx(0.7, abs=1e-5)
    assert effect.change_around == 0
    np.testing.assert_allclose(change, np.where(mask, 0.7, 0), atol=1e-5)


def test_occlusion_changes_a_prediction_within_the_receptive_field():
    mask, change = ball(4), np.zeros(GRID.shape, np.float32)
    volume = image(80.0, 10.0, mask)
    spread = Predicted(lambda array: np.roll(array, 2, axis=2) / 100, volume)
    assert Occlusion(volume, spread, REPLACE).effect("x", mask, change).change_around > 0
    spread.districts = volume.with_array(mask.astype(np.uint8), "label")  # around the region lies no district
    assert np.isnan(Occlusion(volume, spread, REPLACE).effect("x", mask, change).change_around)


def test_a_region_without_a_voxel_has_no_effect():
    volume = image(1.0, 1.0, ball(4))
    empty = np.zeros(GRID.shape, bool)
    assert Occlusion(volume, Predicted(linear, volume), REPLACE).effect("x", empty, np.zeros(GRID.shape)) is None


def test_a_region_smaller_than_a_voxel_is_measured_in_the_voxel_that_contains_it():
    mask = np.zeros(GRID.shape, bool)
    mask[5, 9, 11] = True
    volume = image(80.0, 10.0, mask)
    coarse = Grid((6, 5, 6), (16.0, 16.0, 16.0), (6.0, 6.0, 6.0))  # the middles of its voxels miss the region
    predicted = Predicted(linear, volume)
    predicted.usual = Volume(np.full(coarse.shape, 3.0, np.float32), coarse, "SUV")
    predicted.districts = Volume(np.ones(coarse.shape, np.uint8), coarse, "label")
    predicted.with_image = lambda changed, box: predicted.usual.array[box.slices] - 1
    change = np.zeros(coarse.shape, np.float32)
    effect = Occlusion(volume, predicted, REPLACE).effect("x", mask, change)
    assert (effect.volume_ml, effect.mean, effect.mean_hidden) == (pytest.approx(0.064), 3.0, 2.0)
    assert np.argwhere(change).tolist() == [[1, 2, 2]]


def test_occlusion_of_a_lesion_invisible_in_ct_has_no_effect():
    """The same tumour in the middle of a liver, which the CT shows at 150 HU in one patient and not in the other."""
    patient, scanner = replace(make_patient(8), lesions=()), replace(COARSE, ct_noise_hu=0.0)
    liver = scan(patient, scanner).organs
    depth = distance_transform_edt(liver.array == LABELS["liver"], sampling=liver.grid.spacing)
    index = np.unravel_index(depth.argmax(), depth.shape)
    centre = tuple((liver.grid.affine @ [*index[::-1], 1.0])[:3].tolist())
    offsets = (np.indices(depth.shape) - np.reshape(index, (3, 1, 1, 1))) * np.reshape(liver.grid.spacing, (3, 1, 1, 1))
    mask = (offsets**2).sum(axis=0) <= 26.0**2  # with the blurred rim of the tumour
    shares = []
    for hu in (150.0, None):
        volumes = scan(replace(patient, lesions=(Lesion(centre, (18.0,) * 3, 8.0, hu, "liver"),)), scanner)
        ct, change = volumes.ct.with_array(volumes.ct.array.astype(np.float32)), np.zeros(depth.shape, np.float32)
        effect = Occlusion(ct, Predicted(linear, ct, volumes.districts), REPLACE).effect("tumour", mask, change)
        shares.append(abs(effect.mean - effect.mean_hidden))
    assert shares[0] > 0.15
    assert shares[1] < 0.2 * shares[0]
