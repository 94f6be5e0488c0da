import numpy as np
import pytest
from hand_models import expected_suv, hand_configuration, scaled, two_district_case
from tiny import FIELDS

from ct2pet.inference.ensemble import Ensemble, with_lesions
from ct2pet.inference.predictor import DistrictModels, NothingToPredict, Predictor


def predictor(low, high=None, blend_mm=0.0):
    """Of both districts, or of the whole body where there is one factor."""
    parts = {"whole_body": ([1, 2], low)} if high is None else {"low": ([1], low), "high": ([2], high)}
    districts = []
    for name, (labels, factor) in parts.items():
        configuration = hand_configuration(labels=labels)
        districts.append(DistrictModels(name, configuration, [scaled(factor, configuration)]))
    return Predictor(districts, FIELDS, blend_mm=blend_mm)


def predict(ensemble, progress=None):
    ct, labels = two_district_case()
    return ensemble.predict({"CT": ct}, labels, ct.grid, progress)["PET"]


def test_the_mean_of_several_is_their_mean_in_suv_in_each_district():
    ct, labels = two_district_case()
    found = predict(Ensemble([predictor(0.5, 2.0), predictor(1.5), predictor(0.7, 0.4)])).array
    means = [expected_suv(ct.array, np.mean(factors)) for factors in ((0.5, 1.5, 0.7), (2.0, 1.5, 0.4))]
    expected = np.select([labels.array == 1, labels.array == 2], means, 0)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert found.dtype == np.float32


def test_an_ensemble_of_equal_models_is_bit_equal_to_one_model():
    alone = predict(predictor(0.7, 1.3, blend_mm=8.0))
    for number in (1, 3):
        same = predict(Ensemble([predictor(0.7, 1.3, blend_mm=8.0)] * number))
        np.testing.assert_array_equal(same.array, alone.array)


def test_progress_adds_up_to_one():
    shares = []
    predict(Ensemble([predictor(0.5, 2.0), predictor(1.5)]), shares.append)
    assert sum(shares) == pytest.approx(1)


def test_the_suv_of_lesions_is_taken_where_it_is_clearly_higher():
    usual, lesions = np.zeros((1, 1, 6)), np.array([[[-5.0, 1.0, 1.5, 2.0, 3.0, 9.0]]])
    with_lesions(usual, lesions)
    np.testing.assert_allclose(usual, [[[0.0, 0.0, 0.375, 1.0, 3.0, 9.0]]])


def test_a_model_for_lesions_changes_only_its_district_and_only_upwards():
    ct, labels = two_district_case()
    usual = predict(predictor(0.2, 0.2)).array
    configuration = hand_configuration(labels=[2])
    hot = Predictor([DistrictModels("high", configuration, [scaled(1.5, configuration)])], FIELDS, blend_mm=0.0)
    found = predict(Ensemble([predictor(0.2, 0.2)], hot)).array
    high = labels.array == 2
    np.testing.assert_array_equal(found[~high], usual[~high])
    difference = expected_suv(ct.array, 1.3)[high]  # that of 1.5 and 0.2
    np.testing.assert_allclose(found[high] - usual[high], difference * np.clip((difference - 1) / 2, 0, 1), atol=1e-4)
    assert difference.min() < 1
    assert difference.max() > 3


def test_a_model_for_lesions_gets_the_inputs_and_a_share_of_the_progress():
    shares = []
    found = predict(Ensemble([predictor(0.5, 2.0), predictor(1.5)], predictor(0.1)), shares.append)
    np.testing.assert_array_equal(found.array, predict(Ensemble([predictor(0.5, 2.0), predictor(1.5)])).array)
    assert sum(shares) == pytest.approx(1)


def test_a_case_without_the_district_of_the_model_for_lesions_keeps_the_usual_prediction():
    ct, labels = two_district_case()
    only_low = labels.with_array(np.where(labels.array == 1, 1, 0).astype(np.uint8))
    configuration, shares = hand_configuration(labels=[2]), []
    hot = Predictor([DistrictModels("high", configuration, [scaled(1.5, configuration)])], FIELDS, blend_mm=0.0)
    found = Ensemble([predictor(0.2, 0.2)], hot).predict({"CT": ct}, only_low, ct.grid, shares.append)["PET"].array
    usual = predictor(0.2, 0.2).predict({"CT": ct}, only_low, ct.grid)["PET"].array
    assert usual.max() > 0
    np.testing.assert_array_equal(found, usual)
    assert sum(shares) == pytest.approx(1)


def test_a_case_without_a_district_of_a_model_of_the_mean_is_an_error():
    ct, labels = two_district_case()
    with pytest.raises(NothingToPredict, match="no voxel of low, high"):
        Ensemble([predictor(0.2, 0.2)]).predict({"CT": ct}, labels.with_array(labels.array * 0), ct.grid)
