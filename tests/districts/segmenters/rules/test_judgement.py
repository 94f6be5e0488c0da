"""Confidence that falls and warnings that come where something is wrong with what was found."""

import numpy as np
import pytest
from bodies import air, body, rod, scene_of, seen, segment, segmented

from ct2pet.districts.base import LOW_CONFIDENCE
from ct2pet.districts.segmenters.rules.division import ARMS, HEAD, LEGS, TRUNK, Division
from ct2pet.districts.segmenters.rules.judgement import judge
from ct2pet.phantom import DISTRICTS


def without(name, view, seed, arms, half=None):
    """A view of a phantom that has lost a district, or its left half."""
    ct, truth = seen(view, seed, arms)
    lost = truth.array == DISTRICTS[name]
    if half:
        lost[:, :, : lost.shape[2] // 2] = False
    return ct.with_array(np.where(lost, -1000, ct.array).astype(np.int16))


def test_missing_arms_are_a_warning():
    found = segment(without("arms", "chest", 1, "down"))
    assert any("no arms found" in warning for warning in found.warnings)
    assert found.confidence["trunk"] < segmented("chest", 1, "down").confidence["trunk"]


def test_one_missing_arm_is_a_warning():
    found = segment(without("arms", "chest", 1, "down", half=True))
    assert any(warning.startswith("arms: ") and "right" in warning for warning in found.warnings)
    assert found.confidence["arms"] <= 0.5


def test_arms_that_touch_the_trunk_are_less_sure():
    assert segmented("chest", 1, "down").confidence["arms"] < segmented("head", 2, "raised").confidence["arms"]
    assert any("touch" in warning for warning in segmented("chest", 1, "down").warnings)


def test_the_bones_alone_are_less_sure_than_the_lungs():
    found = segmented("abdomen and pelvis", 1, "down")
    assert any("neither lungs nor brain" in warning for warning in found.warnings)
    assert LOW_CONFIDENCE < found.confidence["trunk"] < segmented("trunk", 6, "raised").confidence["trunk"]


def two_legs(right_mm=60, shift=0):
    hu = rod(air(40, 60, 110), (30, 30), right_mm, 40)
    return rod(hu, (30 + shift, 80), 60, 40)


def division_of(hu, part=LEGS, middle=55.0):
    scene = scene_of(hu)
    parts = np.where(scene.body, np.uint8(part), np.uint8(0))
    return scene, Division(parts, dict.fromkeys((HEAD, TRUNK, ARMS, LEGS), 0.9), middle=np.full(len(hu), middle))


def test_unequal_legs_are_a_warning_with_their_volumes():
    confidence, warnings = judge(*division_of(two_legs()))
    assert warnings == ()
    assert confidence == {"legs": 0.9}
    confidence, warnings = judge(*division_of(two_legs(right_mm=40)))
    assert len(warnings) == 1
    assert "on the left" in warnings[0]
    assert confidence["legs"] <= 0.5
    _, warnings = judge(*division_of(two_legs(), middle=10.0))
    assert any("only the left" in warning for warning in warnings)


@pytest.mark.parametrize("cut", [np.s_[:, :, 25:], np.s_[:, :45], np.s_[:, 25:]])
def test_a_body_that_the_field_of_view_cuts_is_a_warning(cut):
    scene, division = division_of(two_legs()[cut], middle=30.0 if cut == np.s_[:, :, 25:] else 55.0)
    confidence, warnings = judge(scene, division)
    assert any("cut by the side of the field of view over 16 cm" in warning for warning in warnings)
    assert confidence["legs"] <= 0.8


def in_a_circle(matrix, radius):
    """A trunk that is wider than a round field of view of ``radius`` voxels; the middle of the matrix is the same."""
    centre = (matrix - 1) / 2
    hu = rod(air(40, matrix, matrix), (centre, centre), 8 * radius - 60, 40, ratio=1.3)
    y, x = np.ogrid[:matrix, :matrix]
    hu[:, np.hypot(y - centre, x - centre) > radius] = -1000
    return division_of(hu, part=TRUNK, middle=centre)


@pytest.mark.parametrize(("matrix", "radius"), [(80, 40), (150, 62.5)])
def test_a_body_that_the_reconstruction_circle_cuts_is_a_warning(matrix, radius):
    _, warnings = judge(*in_a_circle(matrix, radius))
    assert any("trunk: cut" in warning for warning in warnings)


def test_arms_may_be_hidden_where_a_trunk_reaches_the_rim_of_a_round_field_of_view():
    scene, division = in_a_circle(150, 62.5)
    confidence, warnings = judge(scene, division)
    assert confidence["arms"] < LOW_CONFIDENCE < confidence["trunk"]
    assert any("no arms found" in warning for warning in warnings)
    division.parts[:, :, :40][scene.body[:, :, :40]] = ARMS
    _, warnings = judge(scene, division)
    assert not any("no arms found" in warning for warning in warnings)


def test_a_trunk_within_its_field_of_view_hides_no_arms():
    hu = rod(air(40, 150, 150), (74.5, 74.5), 200, 40, ratio=0.7)
    confidence, warnings = judge(*division_of(hu, part=TRUNK, middle=74.5))
    assert (confidence, warnings) == ({"trunk": 0.9}, ())


def test_values_outside_soft_tissue_are_a_warning():
    hu = two_legs()
    hu[hu > -500] = 300
    confidence, warnings = judge(*division_of(hu))
    assert any("HU" in warning for warning in warnings)
    assert confidence["legs"] < LOW_CONFIDENCE


def test_a_long_scan_without_legs_or_brain_is_a_warning():
    patient, _, _, _ = body(6, "raised")
    hu = rod(air(260, 60, 90), (30, 45), 90, 40, ratio=1.4)
    for x in (28, 62):
        rod(hu, (30, x), 36, -850, slices=slice(150, 200))
    scene = scene_of(hu)
    assert scene.apex is not None
    parts = np.where(scene.body, np.uint8(TRUNK), np.uint8(0))
    division = Division(parts, dict.fromkeys((HEAD, TRUNK, ARMS, LEGS), 0.9), middle=np.full(260, 45.0))
    confidence, warnings = judge(scene, division)
    assert [any(word in warning for warning in warnings) for word in ("no legs", "no brain", "no arms")] == [True] * 3
    assert confidence == {"trunk": 0.3}
    assert patient.arms == "raised"


@pytest.mark.parametrize(("slices", "low"), [(40, False), (6, True)])
def test_little_of_a_district_at_the_side_of_the_view_is_doubted(slices, low):
    scene, division = division_of(rod(air(40, 60, 60), (30, 2), 60, 40), middle=40.0)
    division.middle = None
    division.parts[slices:][scene.body[slices:]] = TRUNK
    confidence, _ = judge(scene, division)
    assert (confidence["legs"] < LOW_CONFIDENCE) == low


@pytest.mark.parametrize(("part", "name", "low"), [(ARMS, "arms", True), (LEGS, "legs", False)])
def test_arms_that_the_view_cuts_along_most_of_their_length_are_doubted(part, name, low):
    scene, division = division_of(rod(air(40, 60, 60), (30, 2), 60, 40), part=part, middle=40.0)
    division.middle = None
    confidence, _ = judge(scene, division)
    assert (confidence[name] < LOW_CONFIDENCE) == low


def test_a_small_district_is_less_sure_than_a_large_one():
    scene, division = division_of(two_legs())
    division.parts[39:][scene.body[39:]] = TRUNK
    confidence, _ = judge(scene, division)
    assert confidence["trunk"] == 0.75 < confidence["legs"] == 0.9
