"""Districts divide the body, and arms lie where the patient holds them."""

from dataclasses import replace

import numpy as np
import pytest

from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.surfaces import DISTRICTS, arm_of
from ct2pet.phantom.tissues import LABELS, labels_of


@pytest.mark.parametrize("arms", ["raised", "down", "left raised"])
def test_districts_divide_the_body(standard_patient, body_grid, arms):
    anatomy = Anatomy(replace(standard_patient, arms=arms, fat=28.0, sex="female"))
    organs = anatomy.organs(body_grid)
    districts = anatomy.districts(organs)
    assert ((districts.array > 0) == (organs.array > 0)).all()
    assert set(np.unique(districts.array)) == {0, *DISTRICTS.values()}
    brain = districts.array[np.isin(organs.array, labels_of("grey_matter", "skull", "tonsils"))]
    assert (brain == DISTRICTS["head"]).all()
    assert (districts.array[organs.array == LABELS["liver"]] == DISTRICTS["trunk"]).all()
    assert (districts.array[organs.array == LABELS["lower_leg_bones"]] == DISTRICTS["legs"]).all()
    assert (districts.array[organs.array == LABELS["forearm_bones"]] == DISTRICTS["arms"]).all()


@pytest.mark.parametrize(("arms", "above"), [("raised", True), ("down", False)])
def test_raised_arms_lie_above_the_shoulders(standard_patient, body_grid, arms, above):
    patient = replace(standard_patient, arms=arms)
    organs = Anatomy(patient).organs(body_grid)
    districts = Anatomy(patient).districts(organs).array
    heights = body_grid.origin[2] + 4 * np.argwhere(districts == DISTRICTS["arms"])[:, 0]
    shoulder = arm_of(patient).shoulder[2]
    assert np.mean(heights > shoulder - 60) > 0.98 if above else np.mean(heights < shoulder + 60) > 0.98


def test_one_arm_may_be_raised_and_the_other_down(standard_patient, body_grid):
    def arm_voxels(arms):
        anatomy = Anatomy(replace(standard_patient, arms=arms))
        return anatomy.districts(anatomy.organs(body_grid)).array == DISTRICTS["arms"]

    middle = body_grid.shape[2] // 2
    mixed = arm_voxels("left raised")
    np.testing.assert_array_equal(mixed[:, :, middle:], arm_voxels("raised")[:, :, middle:])
    np.testing.assert_array_equal(mixed[:, :, :middle], arm_voxels("down")[:, :, :middle])


@pytest.mark.parametrize(
    ("landmark", "point", "district"),
    [
        ("head of the femur", (88, 8, 886), "trunk"),
        ("ischium", (58, 44, 850), "trunk"),
        ("shaft of the femur", (110, 8, 700), "legs"),
        ("head of the humerus", (165, 8, 1374), "arms"),
        ("glenoid", (130, 22, 1370), "trunk"),
        ("manubrium", (0, -50, 1370), "trunk"),
        ("body of T1", (0, 30, 1395), "trunk"),
        ("body of C6", (0, 22, 1430), "head"),
        ("trapezius", (85, 30, 1408), "trunk"),
    ],
)
def test_districts_meet_at_the_joints_and_the_root_of_the_neck(standard_patient, body_grid, landmark, point, district):
    anatomy = Anatomy(replace(standard_patient, arms="down"))
    index = np.rint((np.array(point) - body_grid.origin) / 4).astype(int)[::-1]
    assert anatomy.districts(anatomy.organs(body_grid)).array[tuple(index)] == DISTRICTS[district], landmark


def test_the_skin_is_outside_and_fat_follows_the_patient(standard_patient, body_grid):
    slim, stout = (Anatomy(replace(standard_patient, fat=fat)).organs(body_grid).array for fat in (10.0, 30.0))
    assert (stout == LABELS["fat"]).sum() > 2 * (slim == LABELS["fat"]).sum()
    outside = np.argwhere((slim > 0) & (np.roll(slim, 1, axis=2) == 0))
    assert np.isin(slim[tuple(outside.T)], labels_of("skin", "fat")).mean() > 0.95


def test_women_have_breasts_in_front_of_the_chest(standard_patient, body_grid):
    organs = Anatomy(replace(standard_patient, sex="female")).organs(body_grid).array
    breast, heart = (np.argwhere(organs == LABELS[name]).mean(axis=0) for name in ("breast", "myocardium"))
    assert breast[1] < heart[1] - 10
