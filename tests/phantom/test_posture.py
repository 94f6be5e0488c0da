"""Postures keep the body and move it; what is lost is lost."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from ct2pet.phantom import DEMO, make_patient
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import render_ct
from ct2pet.phantom.patient import ARM_POSES
from ct2pet.phantom.posture import lying_on_the_side
from ct2pet.phantom.surfaces import DISTRICTS
from ct2pet.phantom.tissues import LABELS
from ct2pet.volume import Grid, Volume


def centres(organs, name):
    """By slice, x and y (mm) of the middle of a tissue; NaN where there is none."""
    found = np.full((len(organs.array), 2), np.nan)
    for k, axial in enumerate(organs.array == LABELS[name]):
        if axial.any():
            y, x = np.argwhere(axial).mean(axis=0)
            found[k] = organs.grid.origin[0] + 4 * x, organs.grid.origin[1] + 4 * y
    return found


def slice_of(grid, z):
    return round((z - grid.origin[2]) / 4)


def test_a_scoliosis_moves_the_spine_aside_in_the_middle_and_nowhere_else(standard_patient, body_grid, organs):
    bent = Anatomy(replace(standard_patient, scoliosis_mm=40.0)).organs(body_grid)
    moved = centres(bent, "spinal_cord") - centres(organs, "spinal_cord")
    assert moved[slice_of(body_grid, 1150)] == pytest.approx((40, 0))
    assert moved[slice_of(body_grid, 1450)] == pytest.approx((0, 0))
    assert (bent.array[: slice_of(body_grid, 890)] == organs.array[: slice_of(body_grid, 890)]).all()
    assert np.bincount(bent.array.ravel())[1:] == pytest.approx(np.bincount(organs.array.ravel())[1:])


def test_a_kyphosis_brings_the_head_forward(standard_patient, body_grid, organs):
    patient = replace(standard_patient, kyphosis_mm=48.0, arms="down")
    straight = Anatomy(replace(patient, kyphosis_mm=0.0))
    bent = Anatomy(patient).organs(body_grid)
    moved = centres(bent, "grey_matter") - centres(organs, "grey_matter")
    assert moved[slice_of(body_grid, 1650)] == pytest.approx((0, -48))
    districts, expected = Anatomy(patient).districts(bent), straight.districts(straight.organs(body_grid))
    np.testing.assert_array_equal(np.bincount(districts.array.ravel())[1:], np.bincount(expected.array.ravel())[1:])


@pytest.mark.parametrize(("lost", "district"), [("left thigh", "legs"), ("left forearm", "arms")])
def test_an_amputation_removes_one_limb_and_nothing_else(standard_patient, body_grid, lost, district):
    whole, stump = (Anatomy(replace(standard_patient, arms="down", amputated=name)) for name in ("", lost))
    before, after = (anatomy.districts(anatomy.organs(body_grid)).array for anatomy in (whole, stump))
    gone = (before > 0) & (after == 0)
    assert (before[~gone] == after[~gone]).all()
    assert (before[gone] == DISTRICTS[district]).mean() > 0.95
    half = body_grid.shape[2] // 2
    assert not gone[:, :, :half].any()
    left = before[:, :, half:] == DISTRICTS[district]
    assert 0.15 < gone[:, :, half:].sum() / left.sum() < 0.8


@pytest.mark.parametrize("arms", ARM_POSES)
def test_arms_of_every_pose_hang_on_the_body_and_have_their_bones(standard_patient, body_grid, organs, arms):
    anatomy = Anatomy(replace(standard_patient, arms=arms))
    drawn = anatomy.organs(body_grid)
    districts = anatomy.districts(drawn).array
    assert label(drawn.array > 0)[1] == 1
    count = (drawn.array == LABELS["forearm_bones"]).sum()
    assert count > 0.6 * (organs.array == LABELS["forearm_bones"]).sum()
    assert (districts[drawn.array == LABELS["forearm_bones"]] == DISTRICTS["arms"]).mean() > 0.8


def test_raised_forward_forearms_lie_in_front_of_and_above_the_face(standard_patient, body_grid):
    anatomy = Anatomy(replace(standard_patient, arms="forward"))
    drawn = anatomy.organs(body_grid)
    z, y, x = (np.argwhere(drawn.array == LABELS["forearm_bones"]) * 4 + np.array(body_grid.origin[::-1])).T
    assert y.max() < -80
    assert z.min() > 1500
    assert np.abs(x).min() < 10


def test_a_prosthesis_is_metal_on_the_right(standard_patient):
    patient = replace(make_patient(0), hip_prosthesis=True, field_of_view="thigh", lesions=())
    organs = Anatomy(patient).organs(DEMO.ct_grid(patient))
    texture = np.zeros(organs.grid.shape, np.float32)
    hu = render_ct(patient, DEMO, organs, organs.array * 0, texture, np.random.default_rng(0))
    metal = np.argwhere(hu > 2000)
    assert len(metal) * 0.064 > 20
    assert metal[:, 2].max() < organs.grid.shape[2] / 2
    assert (organs.array[tuple(metal.T)] == LABELS["femur"]).mean() > 0.9


def test_a_patient_on_the_side_is_turned_and_dropped():
    labels = np.zeros((2, 20, 20), np.uint8)
    labels[:, 8:12, 2:18] = 1  # wide, with
    labels[:, 11, 2:18] = 2  # a back, and
    labels[:, 9, 2] = 3  # a right hand
    turned = lying_on_the_side(Volume(labels, Grid((2, 20, 20), (4.0, 2.0, 2.0))), drop_mm=4.0).array
    assert np.argwhere(turned[0] > 0).min(axis=0).tolist() == [4, 8]
    assert np.argwhere(turned[0] == 3).tolist() == [[19, 9]]  # the right side lies below
    assert set(np.argwhere(turned[0] == 2)[:, 1]) == {11}
