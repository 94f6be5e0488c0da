import numpy as np
import pytest

from ct2pet.dataset.fields import Field
from ct2pet.districts.body import body_mask
from ct2pet.districts.pet_outline import pet_outline
from ct2pet.districts.whole_body import region_labels, whole_body_map
from ct2pet.errors import DatasetError
from ct2pet.volume import Grid, Volume


def box_of_tissue():
    array = np.full((20, 24, 28), -1000, np.int16)
    array[4:-4, 5:-5, 6:-6] = 40
    array[8:12, 8:12, 8:12] = 700
    return Volume(array, Grid(array.shape, (4.0, 4.0, 4.0), (3.0, 2.0, 1.0)), "HU")


def test_the_body_of_a_ct_is_its_body_mask():
    ct = box_of_tissue()
    found = whole_body_map(ct, Field("CT", "input", "ct", "HU"))
    assert found.grid == ct.grid
    assert (found.array.dtype, found.unit) == (np.uint8, "label")
    np.testing.assert_array_equal(found.array, body_mask(ct))
    assert 0 < found.array.sum() < found.array.size


def test_without_a_field_every_voxel_is_body():
    found = whole_body_map(box_of_tissue(), None)
    assert (found.array == 1).all()


def test_the_body_of_a_pet_is_its_outline():
    ct = box_of_tissue()
    pet = ct.with_array(np.where(ct.array > -500, 1.0, 0.0).astype(np.float32), "SUV")
    found = whole_body_map(pet, Field("low_dose", "input", "pet", "SUV"))
    np.testing.assert_array_equal(found.array, pet_outline(pet).array)
    assert 0 < found.array.sum() < found.array.size


def test_the_body_is_not_looked_for_in_labels():
    with pytest.raises(DatasetError, match=r"cannot be found in organs \(labels\); name another input as body_mask"):
        whole_body_map(box_of_tissue(), Field("organs", "input", "labels"))


def test_the_whole_body_is_the_union_of_the_districts_or_the_one_label():
    assert region_labels({"high": 3, "low": 1}) == {"high": [3], "low": [1], "whole_body": [1, 3]}
    assert region_labels({}) == {"whole_body": [1]}
