import numpy as np
import pytest
import torch

from ct2pet.planning.plans import CTNormalization, PETNormalization
from ct2pet.preprocessing.normalization import (
    AIR,
    denormalize_pet,
    input_as_pet,
    normalize_ct,
    normalize_pet,
    pet_as_input,
)

WINDOW = CTNormalization(-200.0, 300.0)
UNCLIPPED = PETNormalization(0.0, 10.0, False)
CLIPPED = PETNormalization(0.0, 20.0, True)


def test_ct_by_hand():
    ct_hu = np.array([-1024.0, -200.0, 50.0, 175.0, 300.0, 3000.0], np.float32)
    assert normalize_ct(ct_hu, WINDOW).tolist() == [-1.0, -1.0, 0.0, 0.5, 1.0, 1.0]


def test_pet_by_hand():
    pet_suv = np.array([0.0, 5.0, 10.0, 30.0], np.float32)
    assert normalize_pet(pet_suv, UNCLIPPED).tolist() == [0.0, 0.5, 1.0, 3.0]
    assert normalize_pet(pet_suv, CLIPPED).tolist() == [0.0, 0.25, 0.5, 1.0]


def test_a_lower_bound_that_is_not_zero():
    plan = PETNormalization(2.0, 12.0, False)
    assert normalize_pet(np.array([2.0, 7.0]), plan).tolist() == [0.0, 0.5]
    assert denormalize_pet(np.array([0.0, 0.5]), plan).tolist() == [2.0, 7.0]


@pytest.mark.parametrize("plan", [UNCLIPPED, CLIPPED])
def test_denormalising_is_the_inverse_also_through_float16(plan):
    pet_suv = np.random.default_rng(0).uniform(0, 20, 1000).astype(np.float32)
    normalised = normalize_pet(pet_suv, plan)
    assert np.allclose(denormalize_pet(normalised, plan), pet_suv, rtol=1e-6, atol=1e-6)
    stored = denormalize_pet(normalised.astype(np.float16).astype(np.float32), plan)
    assert np.allclose(stored, pet_suv, rtol=2**-11, atol=1e-5)


def test_tensors_and_arrays_give_the_same_and_keep_their_type():
    values = np.linspace(-300, 400, 50, dtype=np.float32)
    for function, plan in ((normalize_ct, WINDOW), (normalize_pet, CLIPPED), (denormalize_pet, UNCLIPPED)):
        tensor, array = function(torch.from_numpy(values), plan), function(values, plan)
        assert tensor.dtype == torch.float32
        assert array.dtype == np.float32
        assert np.allclose(tensor.numpy(), array, atol=1e-5)


def test_the_input_is_left_alone():
    values = np.array([500.0, -500.0], np.float32)
    normalize_ct(values, WINDOW)
    assert values.tolist() == [500.0, -500.0]


def test_a_pet_as_input_has_the_range_of_a_ct_and_comes_back():
    pet = np.array([0.0, 0.5, 1.0, 3.0], np.float32)
    assert pet_as_input(pet).tolist() == [AIR, 0.0, 1.0, 5.0]
    assert input_as_pet(pet_as_input(pet)).tolist() == pet.tolist()
