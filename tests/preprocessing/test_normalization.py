from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CT_WINDOW, tiny_configuration

from ct2pet.planning.configuration import Normalization
from ct2pet.preprocessing.normalization import (
    as_input,
    denormalize,
    from_input,
    normalize,
    outside_value,
    unit_scale,
)
from ct2pet.preprocessing.preprocessor import decisions_of

CT = Normalization(-200.0, 300.0, True, [-1.0, 1.0])
PET = Normalization(0.0, 10.0, False, [0.0, 1.0])
CLIPPED = Normalization(0.0, 20.0, True, [0.0, 1.0])
PET_INPUT = Normalization(0.0, 10.0, False, [-1.0, 1.0])
ALL = [CT, PET, CLIPPED, PET_INPUT]


def test_ct_by_hand():
    ct_hu = np.array([-1024.0, -200.0, 50.0, 175.0, 300.0, 3000.0], np.float32)
    assert normalize(ct_hu, CT).tolist() == [-1.0, -1.0, 0.0, 0.5, 1.0, 1.0]


def test_pet_by_hand():
    pet_suv = np.array([0.0, 5.0, 10.0, 30.0], np.float32)
    assert normalize(pet_suv, PET).tolist() == [0.0, 0.5, 1.0, 3.0]
    assert normalize(pet_suv, CLIPPED).tolist() == [0.0, 0.25, 0.5, 1.0]
    assert normalize(pet_suv, PET_INPUT).tolist() == [-1.0, 0.0, 1.0, 5.0]


def test_a_lower_bound_that_is_not_zero():
    plan = Normalization(2.0, 12.0, False, [0.0, 1.0])
    assert normalize(np.array([2.0, 7.0]), plan).tolist() == [0.0, 0.5]
    assert denormalize(np.array([0.0, 0.5]), plan).tolist() == [2.0, 7.0]


@pytest.mark.parametrize("plan", ALL)
def test_denormalising_is_the_inverse_inside_the_window_also_through_float16(plan):
    values = np.random.default_rng(0).uniform(plan.lower, plan.upper, 1000).astype(np.float32)
    normalised = normalize(values, plan)
    width = plan.upper - plan.lower
    assert np.allclose(denormalize(normalised, plan), values, rtol=1e-6, atol=1e-6 * width)
    stored = denormalize(normalised.astype(np.float16).astype(np.float32), plan)
    assert np.abs(stored - values).max() <= unit_scale(plan) * 2**-11


@pytest.mark.parametrize("plan", ALL)
def test_tensors_and_arrays_give_the_same_and_keep_their_type(plan):
    values = np.linspace(-300, 400, 50, dtype=np.float32)
    for function in (normalize, denormalize, as_input, from_input):
        tensor, array = function(torch.from_numpy(values), plan), function(values, plan)
        assert tensor.dtype == torch.float32
        assert array.dtype == np.float32
        assert np.allclose(tensor.numpy(), array, rtol=1e-6, atol=1e-5)


def test_the_input_is_not_changed():
    values = np.array([500.0, -500.0], np.float32)
    normalize(values, CT)
    assert values.tolist() == [500.0, -500.0]


def test_a_unit_of_the_network_is_so_many_hu_or_suv():
    assert [unit_scale(plan) for plan in ALL] == [250.0, 10.0, 20.0, 5.0]


@pytest.mark.parametrize(
    ("plan", "outside", "expected"), [(CT, -1024.0, -1.0), (PET, 0.0, 0.0), (PET_INPUT, 0.0, -1.0)]
)
def test_beyond_the_image_is_air_or_no_uptake(plan, outside, expected):
    assert outside_value(outside, plan) == expected
    assert outside_value(outside, Normalization(-2000.0, 500.0, True, [-1.0, 1.0])) == pytest.approx(
        float(normalize(np.float32(outside), Normalization(-2000.0, 500.0, True, [-1.0, 1.0])))
    )


@pytest.mark.parametrize("plan", [PET, CLIPPED, Normalization(-1.0, 3.0, False, [0.5, 2.0])])
def test_a_prediction_as_input_has_the_range_of_inputs_and_comes_back(plan):
    low, high = plan.range
    values = np.array([low, (low + high) / 2, high, 3 * high], np.float32)
    assert as_input(values, plan)[:3].tolist() == [-1.0, 0.0, 1.0]
    assert np.allclose(from_input(as_input(values, plan), plan), values, atol=1e-6)


def test_cases_that_were_stored_before_windows_had_a_scope_are_not_made_again():
    usual = tiny_configuration()
    stored = {"lower": -500.0, "upper": 500.0, "clip": True, "range": [-1.0, 1.0]}
    assert decisions_of(usual)["normalization"]["CT"] == stored
    own = replace(usual, normalization={**usual.normalization, "CT": replace(CT_WINDOW, scope="image")})
    assert decisions_of(own)["normalization"]["CT"] == {**stored, "scope": "image"}


def test_stored_cases_are_independent_of_the_additional_windows_of_networks():
    usual = tiny_configuration()
    windowed = replace(CT_WINDOW, windows=[[-150.0, 250.0]])
    assert decisions_of(replace(usual, normalization={**usual.normalization, "CT": windowed})) == decisions_of(usual)
