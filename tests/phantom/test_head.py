"""The skull holds the brain, and the nose and throat hold air."""

import numpy as np
from scipy.ndimage import binary_dilation

from ct2pet.phantom.tissues import LABELS, labels_of

BRAIN = labels_of("grey_matter", "white_matter", "cerebellum", "cerebrospinal_fluid")


def test_bone_surrounds_the_brain(organs):
    """Above the base: what touches the brain is brain or bone."""
    upper = organs.array[410:]
    brain = np.isin(upper, BRAIN)
    around = upper[binary_dilation(brain, iterations=1) & ~brain]
    assert brain.sum() > 5000
    assert (around == LABELS["skull"]).mean() > 0.99


def test_the_cortex_surrounds_the_white_matter(organs):
    section = organs.array[int((1640 + 14) / 4)]
    grey, white = (np.argwhere(section == LABELS[name]) for name in ("grey_matter", "white_matter"))
    middle = np.vstack([grey, white]).mean(axis=0)
    assert np.linalg.norm(grey - middle, axis=1).mean() > 1.3 * np.linalg.norm(white - middle, axis=1).mean()


def test_eyes_look_forward_side_by_side(organs):
    eyes = np.argwhere(organs.array == LABELS["eyes"])
    brain = np.argwhere(organs.array == LABELS["grey_matter"])
    assert eyes[:, 1].max() < brain[:, 1].mean()
    assert len(np.unique(eyes[:, 2])) < np.ptp(eyes[:, 2])


def test_the_airway_connects_throat_and_lungs(organs):
    slices = np.flatnonzero((organs.array == LABELS["airways"]).any(axis=(1, 2)))
    heights = slices * 4 - 14
    assert heights.min() < 1260
    assert heights.max() > 1530
    assert len(slices) == np.ptp(slices) + 1, "no slice between is without"
