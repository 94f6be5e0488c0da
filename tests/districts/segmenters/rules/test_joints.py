"""Shoulder joints lie where the phantom has them, and arms begin there."""

import numpy as np
import pytest
from bodies import air, body, dice, rod, scene_of, seen, segmented

from ct2pet.districts.body import find_body
from ct2pet.districts.segmenters.rules.joints import Joint, cut_at_joint, shoulder_joints
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.phantom.frame import Frame
from ct2pet.phantom.views import view


@pytest.mark.parametrize(("seed", "arms"), [(6, "raised"), (1, "down"), (3, "forward"), (4, "elbows out")])
def test_both_humeral_heads_are_found(seed, arms):
    patient, ct, districts, _ = body(seed, arms)
    scene = Scene(find_body(ct.crop(view(patient, districts, "head and shoulders"))))
    joints = sorted(shoulder_joints(scene), key=lambda joint: joint.side)
    assert [joint.side for joint in joints] == [-1, 1]
    for joint in joints:
        z = scene.grid.origin[2] + 4 * joint.z
        x = scene.grid.origin[0] + 4 * joint.x
        assert abs(z - Frame(patient).z_from_reference(1374)) < 8
        assert abs(x - joint.side * 160 * patient.width) < 8


@pytest.mark.parametrize(("seed", "arms"), [(3, "forward"), (4, "elbows out"), (1, "down"), (0, "raised")])
def test_arms_of_every_pose_begin_at_the_shoulder_joint(seed, arms):
    ct, truth = seen("head and shoulders", seed, arms)
    scores = dice(segmented("head and shoulders", seed, arms).district_map, truth)
    assert scores["arms"] > 0.92
    assert scores["trunk"] > 0.92
    assert ct.array.shape == truth.array.shape


def test_flesh_beyond_the_joint_is_arm_and_flesh_within_is_not():
    hu = rod(air(60, 60, 120), (30, 50), 110, 40, ratio=1.6)
    for x in (36, 64):
        rod(hu, (30, x), 36, -850, slices=slice(0, 40))
    rod(hu, (30, 86), 20, 900, slices=slice(20, 50))
    scene = scene_of(hu)
    bones = np.zeros_like(scene.body)
    bones[20:50, 28:33, 82:91] = True
    arms = np.zeros_like(scene.body)
    arms[30:50, 20:40, 60:100] = True  # a box around the humeral head
    cut_at_joint(scene, Joint(z=40, x=86.0, side=1), arms, bones, np.zeros_like(arms))
    arms &= scene.body
    assert not arms[35:50, :, :81].any()
    assert arms[40, 30, 82:92].all()
    assert arms[40, 20, 82]
    lowest = arms[25, 30] & (np.arange(120) > 70)
    assert np.flatnonzero(lowest)[0] > np.flatnonzero(arms[38, 30])[0]  # the plane leans outwards below


def test_no_joint_without_a_middle_line():
    assert shoulder_joints(scene_of(rod(air(20, 40, 40), (20, 20), 60, 40))) == []
