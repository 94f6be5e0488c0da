"""What lies in the middle and what lies aside, and that only what has bones aside is an arm."""

import numpy as np
import pytest
from bodies import air, rod, scene_of

from ct2pet.districts.segmenters.rules.arms import find_arms
from ct2pet.districts.segmenters.rules.aside import anchor_of, arm_sections, central_sections
from ct2pet.districts.segmenters.rules.bones import measure_bones
from ct2pet.districts.segmenters.rules.sections import cut_sections

ARM, BREAST, MIDDLE = (30, 85), (10, 36), (30, 45)


def chest():
    """Lungs in a trunk with a spine, an arm apart with its bone, and a breast apart without one."""
    hu = rod(air(60, 60, 100), MIDDLE, 90, 40, ratio=1.4)
    for x in (32, 58):
        rod(hu, (28, x), 36, -850, slices=slice(20, 60))
    rod(hu, (44, 45), 20, 500)
    rod(hu, ARM, 36, 40)
    rod(hu, ARM, 11, 1000)
    hu[:, :4] = -1000
    return rod(hu, (4, 45), 14, -90)


def sort(hu, bare=True):
    scene = scene_of(hu)
    sections = cut_sections(scene)
    anchor = anchor_of(scene, sections)
    central = central_sections(scene, sections, anchor)
    apart = arm_sections(scene, sections, measure_bones(scene, sections), central, bare=bare)
    return scene, sections, central, apart


def test_an_arm_has_bones_and_a_breast_has_none():
    scene, sections, central, apart = sort(chest())
    assert central[sections.labels[:, 30, 45]].all()
    assert not central[sections.labels[:, 30, 85]].any()
    assert apart[:, 30, 85].all()
    assert not apart[:, 4, 45].any()
    assert not apart[:, 30, 45].any()
    assert (apart & ~scene.body).sum() == 0


@pytest.mark.parametrize("bare", [True, False])
def test_flesh_at_the_edge_counts_where_bare_flesh_may(bare):
    hu = chest()[:, :, :82]  # of the arm, a slice without bone
    hu[:, 30:, 78:] = np.where(hu[:, 30:, 78:] > 200, 40, hu[:, 30:, 78:])
    _, _, _, apart = sort(hu, bare=bare)
    assert apart[:, 30, 80].all() == bare


def test_without_lungs_and_brain_there_is_no_anchor():
    scene = scene_of(rod(air(10, 40, 40), (20, 20), 60, 40))
    assert anchor_of(scene, cut_sections(scene)) is None


def test_both_legs_are_central_and_hands_beside_them_are_not():
    hu = np.concatenate([air(40, 60, 100), chest()])
    for x in (33, 60):
        rod(hu, (30, x), 50, 40, slices=slice(0, 40))
        rod(hu, (30, x), 15, 900, slices=slice(0, 40))
    rod(hu, ARM, 22, 40, slices=slice(10, 40))
    rod(hu, ARM, 8, 900, slices=slice(10, 40))
    _, sections, central, apart = sort(hu)
    assert central[sections.labels[2:, 30, 33]].all()
    assert central[sections.labels[2:, 30, 60]].all()
    assert apart[12:, 30, 85].all()
    assert not apart[:, 30, 60].any()


def test_tissue_between_arm_and_trunk_has_the_label_of_the_nearer_bone():
    hu = chest()
    grown = rod(hu.copy(), (30, 68), 48, 40, slices=slice(30, 45))  # flesh bridges the gap
    grown[30:45] = np.where(hu[30:45] > 200, hu[30:45], grown[30:45])
    grown[30:45, :, :65][hu[30:45, :, :65] > -1000] = hu[30:45, :, :65][hu[30:45, :, :65] > -1000]
    scene, sections, _, apart = sort(grown)
    arms = find_arms(scene, sections, apart)
    assert not apart[37, 30, 85]
    assert arms[37, 30, 80:90].all()
    assert not arms[37, 30, :60].any()
    assert arms[10, 30, 80:90].all()
