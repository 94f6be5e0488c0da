"""Bones in sections, and what they say: trunk, limb, or nothing."""

import numpy as np
import pytest
from bodies import air, rod, scene_of

from ct2pet.districts.segmenters.rules.bones import CALF, LIMB, TRUNK, UNKNOWN, change, measure_bones, votes
from ct2pet.districts.segmenters.rules.sections import cut_sections


def vote(hu):
    scene = scene_of(hu)
    sections = cut_sections(scene)
    found = votes(scene, sections, measure_bones(scene, sections), np.ones(len(sections.area), bool))
    return int(found[len(found) // 2])


def flesh(radius_mm, *bones, ratio=1.0):
    """A rod of flesh about (30, 50) with bones (y, x, radius) in it."""
    hu = rod(air(8, 60, 100), (30, 50), radius_mm, 40, ratio=ratio)
    for y, x, radius in bones:
        rod(hu, (y, x), radius, 900)
    return hu


@pytest.mark.parametrize(
    ("hu", "expected"),
    [
        (flesh(80, (30, 50, 16)), LIMB),  # thigh
        (flesh(85, (30, 47, 14), (34, 60, 6)), CALF),
        (flesh(60, (30, 50, 38)), LIMB),  # knee
        (flesh(90, (30, 25, 15), (30, 75, 15), ratio=1.8), LIMB),  # both thighs, grown together
        (flesh(100, (42, 50, 32), ratio=1.5), TRUNK),  # a vertebra
        (flesh(100, (30, 25, 15), (30, 75, 15), (40, 38, 10), (40, 62, 10), ratio=1.6), TRUNK),  # femora and ischia
        (flesh(80, (30, 50, 70)), TRUNK),  # a skull
        (flesh(100, ratio=1.5), UNKNOWN),
    ],
)
def test_a_cross_section_of_bone_is_classified(hu, expected):
    assert vote(hu) == expected


def test_bones_are_measured_with_their_marrow():
    hu = flesh(80, (30, 50, 16))
    rod(hu, (30, 50), 9, -80)
    scene = scene_of(hu)
    bones = measure_bones(scene, cut_sections(scene))
    assert len(bones.area) == 8
    assert np.abs(bones.area - np.pi * 1.6**2).max() < 1.5  # cm2
    assert np.abs(bones.extent - 34).max() <= 4
    assert (bones.x == 50).all()
    assert not bones.cut.any()
    cropped = scene_of(hu[:, :, 50:])
    assert measure_bones(cropped, cut_sections(cropped)).cut.all()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([LIMB] * 5 + [TRUNK] * 5, 5),
        ([LIMB] * 5 + [UNKNOWN] * 2 + [TRUNK] * 5, 5),
        ([LIMB, TRUNK, LIMB, LIMB, TRUNK, LIMB, TRUNK, TRUNK], 4),
        ([TRUNK] * 4, 0),
        ([LIMB] * 4, 4),
        ([CALF] * 12 + [TRUNK] * 5, 17),  # a knee
        ([UNKNOWN] * 4, 0),
    ],
)
def test_trunk_lies_above_limbs(found, expected):
    assert change(np.array(found)) == expected
