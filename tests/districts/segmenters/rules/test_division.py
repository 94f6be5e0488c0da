"""The division as a whole: borders that were not found are guessed aloud."""

import numpy as np
import pytest
from bodies import air, rod, scene_of, seen

from ct2pet.districts.body import find_body
from ct2pet.districts.segmenters.rules.division import HEAD, LEGS, TRUNK, divide
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.volume import Volume

MIDDLE = (30, 45)


def chest(length=120):
    """Lungs at the top of a trunk with a spine."""
    hu = rod(air(length, 60, 90), MIDDLE, 90, 40, ratio=1.4)
    for x in (32, 58):
        rod(hu, (28, x), 36, -850, slices=slice(length - 50, length - 10))
    return rod(hu, (44, 45), 20, 500)


def thighs(hu, slices):
    hu[slices] = -1000
    for x in (28, 62):
        rod(hu, (30, x), 56, 40, slices=slices)
        rod(hu, (30, x), 15, 900, slices=slices)
    return hu


def test_legs_below_the_end_of_the_bones_in_the_middle():
    division = divide(scene_of(thighs(chest(), slice(0, 30))))
    assert (division.parts[:25, 30, 28] == LEGS).all()
    assert (division.parts[45:100, 30, 45] == TRUNK).all()
    assert division.sure[LEGS] > 0.9


def test_a_pelvis_without_a_visible_end_is_a_warning():
    hu = thighs(chest(), slice(0, 30))
    rod(hu, (30, 39), 8, 900, slices=slice(0, 30))  # something dense in a thigh, near the middle
    division = divide(scene_of(hu))
    assert (division.parts[:20, 30, 28] == LEGS).all()
    assert any("end of the pelvis" in warning for warning in division.warnings)
    assert max(division.sure[LEGS], division.sure[TRUNK]) < 0.5


def test_a_skull_below_the_lungs_is_a_warning():
    ct, _ = seen("skull base to mid-thigh", 0, "raised")
    upside_down = Volume(np.ascontiguousarray(ct.array[::-1]), ct.grid, "HU")
    division = divide(Scene(find_body(upside_down)))
    assert any("axes" in warning for warning in division.warnings)
    assert division.sure[HEAD] < 0.5


@pytest.mark.parametrize("length", [120, 40])
def test_every_voxel_of_the_body_has_a_part(length):
    scene = scene_of(chest(length) if length > 100 else rod(air(length, 60, 90), MIDDLE, 60, 40))
    division = divide(scene)
    np.testing.assert_array_equal(division.parts > 0, scene.body)


def test_small_fragments_get_the_label_around_them():
    hu = thighs(chest(), slice(0, 30))
    hu[60:62, 28:31, 84:87] = 900  # a button on the skin
    hu[60:62, 28:31, 80:84] = 40
    division = divide(scene_of(hu))
    assert set(np.unique(division.parts[50:70])) == {0, TRUNK}
