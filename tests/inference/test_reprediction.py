from dataclasses import replace

import numpy as np
import pytest
import torch
from hand_models import Scaled, hand_configuration, scaled, two_district_case
from tiny import FIELDS

from ct2pet.errors import DatasetError
from ct2pet.inference.predictor import DistrictModels, Predictor
from ct2pet.inference.reprediction import Reprediction
from ct2pet.inference.stitching import output_grid
from ct2pet.inference.volumes import WindowOptions
from ct2pet.planning.configuration import GAUSSIAN, Masking
from ct2pet.volume import Box


class Spread(Scaled):
    """What a window of 5 voxels sees on average; ``seen`` counts the windows."""

    seen = 0

    def translate(self, inputs):
        Spread.seen += len(inputs)
        return self.factor * torch.nn.functional.avg_pool3d((inputs + 1) / 2, 5, stride=1, padding=2)


def predictors(windows, blend_mm=10.0):
    """Two members of an ensemble; the first has two folds of each district. Neighbours are seen and blended."""
    how = {"patch_size": [8, 8, 8], "masking": Masking("context", 12.0), "window_weights": GAUSSIAN}
    parts = {name: hand_configuration(labels=[label], **how) for label, name in enumerate(("low", "high"), start=1)}
    return [
        Predictor(
            [
                DistrictModels(name, plan, [scaled(factor + label, plan, Spread) for factor in factors])
                for label, (name, plan) in enumerate(parts.items())
            ],
            FIELDS,
            blend_mm=blend_mm,
            windows=windows,
        )
        for factors in ((0.4, 0.8), (0.2,))
    ]


def fully(members, ct, labels, grid):
    exact = [Predictor(one.districts, FIELDS, blend_mm=one.blend_mm, windows=WindowOptions()) for one in members]
    return np.mean([one.predict({"CT": ct}, labels, grid)["PET"].array for one in exact], axis=0)


@pytest.fixture(scope="module")
def case():
    """A CT of 2 mm, its map and the predictions' grid, which is that of the plans."""
    ct, labels = two_district_case(spacing=(2.0, 2.0, 2.0), shape=(64, 40, 36))
    return ct, labels, output_grid(ct.grid, hand_configuration().spacing)


def changed(ct, *slices):
    array = ct.array.copy()
    array[slices] = 900.0
    return ct.with_array(array)


def test_the_prediction_of_a_changed_image_is_the_full_one_and_computes_few_windows(case):
    ct, labels, grid = case
    members = predictors(WindowOptions(bfloat16=True))
    Spread.seen = 0
    prediction = Reprediction(members, {"CT": ct}, labels, grid)
    num_windows, Spread.seen = Spread.seen, 0
    assert prediction.usual.unit == "SUV"
    np.testing.assert_allclose(prediction.usual.array, fully(members, ct, labels, grid), atol=1e-5)
    Spread.seen = 0
    hidden = changed(ct, slice(28, 36), slice(16, 22), slice(14, 20))  # on the border of the districts
    everything = Box((0, 0, 0), grid.shape)
    found = prediction.with_image(hidden, everything)
    assert 0 < Spread.seen <= num_windows / 2
    wanted = fully(members, hidden, labels, grid)
    assert np.abs(wanted - prediction.usual.array).max() > 0.5
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_predicted_box_equals_the_same_part_of_the_whole_prediction(case):
    ct, labels, grid = case
    members = predictors(WindowOptions())
    prediction = Reprediction(members, {"CT": ct}, labels, grid)
    hidden, box = changed(ct, slice(20, 30), slice(16, 22), slice(14, 20)), Box((9, 5, 4), (17, 13, 12))
    wanted = fully(members, hidden, labels, grid)[box.slices]
    np.testing.assert_allclose(prediction.with_image(hidden, box), wanted, atol=1e-5)


def test_districts_that_a_box_does_not_show_are_not_predicted_again(case):
    ct, labels, grid = case
    prediction = Reprediction(predictors(WindowOptions(), blend_mm=0.0), {"CT": ct}, labels, grid)
    Spread.seen = 0
    everywhere = changed(ct, slice(None), slice(None), slice(None))
    prediction.with_image(everywhere, Box((4, 4, 4), (8, 8, 8)))
    low = Spread.seen
    Spread.seen = 0
    prediction.with_image(everywhere, Box((4, 4, 4), grid.shape))
    assert 0 < low < Spread.seen


def test_an_image_without_a_change_needs_no_window(case):
    ct, labels, grid = case
    prediction = Reprediction(predictors(WindowOptions()), {"CT": ct}, labels, grid)
    Spread.seen = 0
    np.testing.assert_array_equal(prediction.with_image(ct, Box((0, 0, 0), grid.shape)), prediction.usual.array)
    assert Spread.seen == 0


def test_a_map_without_the_districts_is_refused(case):
    ct, labels, grid = case
    with pytest.raises(DatasetError, match="no voxel of low, high"):
        Reprediction(predictors(WindowOptions()), {"CT": ct}, replace(labels, array=labels.array * 5), grid)
