"""Limbs without a trunk: bones and flesh tell arms from legs, and where they cannot, the score says so."""

import numpy as np
import pytest
from bodies import air, rod, scene_of

from ct2pet.districts.segmenters.rules.bones import measure_bones
from ct2pet.districts.segmenters.rules.division import ARMS, LEGS, divide
from ct2pet.districts.segmenters.rules.limbs import limb_scores
from ct2pet.districts.segmenters.rules.sections import cut_sections


def limb(flesh_mm, *bones_mm, hu=None, x=30):
    """A rod of flesh with bones (radii) side by side."""
    hu = air(30, 60, 100) if hu is None else hu
    rod(hu, (30, x), flesh_mm, 40)
    for index, bone in enumerate(bones_mm):
        rod(hu, (30, x + 8 * index), bone, 1000)
    return hu


def scores(hu):
    scene = scene_of(hu)
    sections = cut_sections(scene)
    return limb_scores(scene, sections, measure_bones(scene, sections))


@pytest.mark.parametrize(
    ("flesh", "bones", "sign"),
    [
        (80, (16,), 1),  # thigh
        (55, (14, 6), 1),  # calf
        (42, (10,), -1),  # upper arm
        (32, (7, 7), -1),  # forearm
    ],
)
def test_thighs_calves_and_arms(flesh, bones, sign):
    limbs, found = scores(limb(flesh, *bones))
    assert limbs.max() == 1
    assert sign * found[1] > 1


def test_a_limb_that_may_be_arm_or_leg_is_a_warning():
    division = divide(scene_of(limb(54, 13)))
    assert division.sure[int(division.parts.max())] < 0.5
    assert any("may be arm or leg" in warning for warning in division.warnings)


def test_a_clear_thigh_needs_no_second_look():
    division = divide(scene_of(limb(85, 17)))
    assert set(np.unique(division.parts)) == {0, LEGS}
    assert division.sure[LEGS] > 0.6
    assert not any("may be" in warning for warning in division.warnings)


def test_a_hand_beside_a_thigh_is_an_arm():
    hu = limb(80, 16)
    limb(18, 5, hu=hu, x=70)
    division = divide(scene_of(hu))
    assert (division.parts[:, 30, 30] == LEGS).all()
    assert (division.parts[5:25, 30, 72] == ARMS).all()


def test_thighs_that_touch_are_two_limbs():
    hu = limb(76, 16, x=25)
    limbs, found = scores(limb(76, 16, hu=hu, x=62))
    assert limbs.max() == 2
    assert (found[1:] > 1).all()


def test_gas_inside_a_limb_is_a_warning():
    hu = limb(80, 16)
    rod(hu, (40, 30), 10, -950)
    division = divide(scene_of(hu))
    assert division.sure[LEGS] < 0.5
    assert any("gas" in warning for warning in division.warnings)
