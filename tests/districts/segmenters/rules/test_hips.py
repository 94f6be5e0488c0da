"""The groin of one hip, in crops that show no middle line."""

import numpy as np
import pytest
from bodies import air, dice, rod, scene_of, seen, segmented

from ct2pet.districts.base import LOW_CONFIDENCE
from ct2pet.districts.segmenters.rules.bones import measure_bones, votes
from ct2pet.districts.segmenters.rules.hips import find_hip
from ct2pet.districts.segmenters.rules.sections import cut_sections


@pytest.mark.parametrize(("seed", "arms"), [(6, "raised"), (1, "down")])
def test_the_border_in_a_crop_of_a_hip_is_an_oblique_plane_and_a_person_should_look(seed, arms):
    _, truth = seen("left hip", seed, arms)
    found = segmented("left hip", seed, arms)
    assert min(dice(found.district_map, truth).values()) > 0.9
    assert max(found.confidence.values()) < LOW_CONFIDENCE
    assert any("on all sides" in warning for warning in found.warnings)


def hip(ischium_x=None):
    """Flesh that fills the view, a femur whose head is thick, and beside it an ischium from slice 24 on."""
    hu = np.full_like(air(40, 46, 46), 40)
    rod(hu, (22, 26), 18, 900, slices=slice(0, 28))
    rod(hu, (22, 26), 34, 900, slices=slice(28, 40))
    if ischium_x is not None:
        rod(hu, (30, ischium_x), 12, 900, slices=slice(24, 40))
    return hu


def found_hip(hu):
    scene = scene_of(hu)
    sections = cut_sections(scene)
    bones = measure_bones(scene, sections)
    found = votes(scene, sections, bones, np.ones(len(sections.area), bool))
    return find_hip(scene, bones, found, 28)


@pytest.mark.parametrize(("x", "middle"), [(10, 26 - 95 / 4), (42, 26 + 95 / 4)])
def test_the_ischium_gives_the_level_and_the_side_of_the_midline(x, middle):
    found = found_hip(hip(x))
    assert found.seen
    assert abs(found.level - 24) <= 1
    assert abs(found.middle - middle) < 0.5


def test_without_an_ischium_the_trochanters_tell_the_level_and_nothing_is_seen():
    hu = hip()
    hu[:, :, :4] = -1000  # skin on one side: the middle lies on the other
    found = found_hip(hu)
    assert not found.seen
    assert abs(found.level - 31) <= 1
    assert found.middle > 46


def test_without_a_femur_there_is_no_hip():
    hu = hip(10)
    hu[:28] = np.minimum(hu[:28], 40)
    assert found_hip(hu) is None
