"""Uptake in predicted organs, where the true map or the prediction lie on other grids."""

import numpy as np
import pytest

from ct2pet.dataset import Field
from ct2pet.evaluation.label_evaluation import label_regions, uptake_regions
from ct2pet.volume import Grid, Volume

COARSE = Grid(shape=(8, 8, 8), spacing=(4.0, 4.0, 4.0), origin=(0.0, 0.0, 0.0))
FINE = Grid(shape=(16, 16, 16), spacing=(2.0, 2.0, 2.0), origin=(-1.0, -1.0, -1.0))  # the same box
ORGANS = Field("organs", "target", "labels", labels={"liver": 1, "spleen": 2})


def organ_map(grid, start, size, label=1):
    array = np.zeros(grid.shape, dtype=np.uint8)
    array[tuple(slice(start, start + size) for _ in range(3))] = label
    return Volume(array, grid, "label")


def pet(grid, inside, outside=1.0, start=0, size=0):
    array = np.full(grid.shape, outside, dtype=np.float32)
    array[tuple(slice(start, start + size) for _ in range(3))] = inside
    return Volume(array, grid, "SUV")


def test_a_map_of_half_the_spacing_is_the_same_organ():
    found = label_regions(organ_map(FINE, 4, 8), organ_map(COARSE, 2, 4), ORGANS)
    assert found["organ:liver"]["dice"] == 1
    assert found["organ:liver"]["real_volume_ml"] == pytest.approx(4.096)
    assert found["organ:spleen"]["dice"] is None


def test_the_uptake_is_that_of_the_predicted_organ_on_the_predicted_pet():
    real = pet(COARSE, 4.0, start=2, size=4), organ_map(COARSE, 2, 4)
    fake = pet(COARSE, 4.0, start=2, size=4), organ_map(FINE, 4, 4)  # an eighth of the organ, the right SUV
    found = uptake_regions(fake, real, ORGANS)["organ:liver"]
    assert found["predicted_organ_suv_mean_bias"] == 0
    larger = pet(COARSE, 4.0, start=2, size=4), organ_map(COARSE, 0, 8)  # the whole box: 64 voxels of 4, 448 of 1
    found = uptake_regions(larger, real, ORGANS)["organ:liver"]
    assert found["fake_suv_mean_predicted_organ"] == pytest.approx((64 * 4 + 448) / 512)
    assert found["predicted_organ_suv_mean_bias"] == pytest.approx(100 * ((64 * 4 + 448) / 512 / 4 - 1))
    assert found["predicted_organ_suv_max_bias"] == 0


def test_an_organ_that_was_not_predicted_has_no_bias():
    real = pet(COARSE, 4.0, start=2, size=4), organ_map(COARSE, 2, 4)
    found = uptake_regions((real[0], organ_map(COARSE, 2, 4, label=2)), real, ORGANS)
    assert found["organ:liver"]["predicted_organ_suv_mean_bias"] is None
    assert found["organ:spleen"]["predicted_organ_suv_mean_bias"] is None
