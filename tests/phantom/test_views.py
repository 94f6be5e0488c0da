"""Views show what their names say."""

from dataclasses import replace

import numpy as np
import pytest

from ct2pet.errors import DatasetError
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.surfaces import DISTRICTS
from ct2pet.phantom.views import VIEWS, view


@pytest.fixture(scope="module")
def whole(standard_patient, body_grid):
    patient = replace(standard_patient, arms="down")
    anatomy = Anatomy(patient)
    return patient, anatomy.districts(anatomy.organs(body_grid))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("whole", {"head", "trunk", "arms", "legs"}),
        ("skull base to mid-thigh", {"head", "trunk", "arms", "legs"}),
        ("head", {"head"}),
        ("trunk", {"head", "trunk", "arms", "legs"}),
        ("chest", {"head", "trunk", "arms"}),
        ("abdomen and pelvis", {"trunk", "arms", "legs"}),
        ("one arm", {"arms"}),
        ("neck slab", {"head", "trunk", "arms"}),
        ("left half of the chest", {"head", "trunk", "arms"}),
        ("left shoulder", {"head", "trunk", "arms"}),
        ("heart", {"trunk"}),
        ("left hip", {"trunk", "legs", "arms"}),
        ("one knee", {"legs"}),
    ],
)
def test_a_view_shows_its_districts(whole, name, shown):
    patient, districts = whole
    part = districts.crop(view(patient, districts, name))
    assert {district for district, label in DISTRICTS.items() if (part.array == label).any()} == shown


def test_one_thigh_is_the_left_one_and_narrow_is_narrow(whole):
    patient, districts = whole
    thigh = districts.grid.crop(view(patient, districts, "one thigh"))
    assert thigh.origin[0] > 0
    narrow = districts.grid.crop(view(patient, districts, "narrow"))
    assert abs(narrow.shape[2] * narrow.spacing[2] - 420) <= 8
    assert view(patient, districts, "whole").shape == districts.array.shape


@pytest.mark.parametrize("name", ["heart", "left hip", "neck slab"])
def test_the_sides_of_a_crop_cut_the_body(whole, name):
    patient, districts = whole
    part = districts.crop(view(patient, districts, name)).array > 0
    assert part[:, :, 0].any()
    assert part[:, :, -1].any()
    assert part[:, 0].any() == (name != "neck slab")


def test_other_views_are_refused_and_an_arm_within_the_trunk_has_none(whole):
    patient, districts = whole
    with pytest.raises(DatasetError, match=r"'foot'.*one arm"):
        view(patient, districts, "foot")
    wide = districts.array.copy()
    wide[:, 50, :] = DISTRICTS["trunk"]
    with pytest.raises(DatasetError, match="too near"):
        view(patient, districts.with_array(wide), "one arm")
    assert len(VIEWS) == len(np.unique(VIEWS))
