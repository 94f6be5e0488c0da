"""Bones are where they belong, and as many."""

import numpy as np
from scipy.ndimage import label

from ct2pet.phantom.tissues import LABELS, labels_with_parts


def test_twelve_ribs_on_each_side(organs):
    side = organs.array[:, :, 80 + 24 :]
    counts = [label(column)[1] for column in (side == LABELS["ribs"]).any(axis=2).T]
    assert 9 <= max(counts) <= 12


def test_the_spinal_cord_runs_behind_the_vertebrae_all_the_way(organs):
    cord = np.argwhere(organs.array == LABELS["spinal_cord"])
    discs = np.argwhere(organs.array[240:395, :, 70:90] == LABELS["discs"])
    assert np.ptp(cord[:, 0]) * 4 > 550
    assert cord[:, 1].mean() > discs[:, 1].mean() + 4


def test_marrow_is_wrapped_in_bone(organs):
    bones = labels_with_parts("spine", "pelvis", "femur", "humerus", "discs")
    marrow = np.isin(organs.array, labels_with_parts("marrow"))
    touching = organs.array[1:][marrow[:-1] & ~marrow[1:]]
    assert np.isin(touching, bones).mean() > 0.9


def test_left_and_right_limbs_mirror_each_other(organs):
    for name in ("femur", "humerus", "lower_leg_bones"):
        bone = organs.array == LABELS[name]
        assert (bone == bone[:, :, ::-1]).mean() > 0.999
