"""The organs of chest and belly lie where anatomy has them."""

import numpy as np
import pytest

from ct2pet.phantom.tissues import LABELS
from ct2pet.phantom.trunk import diaphragm


def centre(organs, name):
    """x, y, z (mm) of the middle of an organ."""
    index = np.argwhere(organs.array == LABELS[name]).mean(axis=0)
    return (np.array(organs.grid.origin) + index[::-1] * np.array(organs.grid.spacing[::-1])).tolist()


def test_organs_lie_on_their_sides_and_in_their_order(organs):
    assert centre(organs, "liver")[0] < -20, "the liver lies on the right"
    assert centre(organs, "spleen")[0] > 50
    assert centre(organs, "stomach_wall")[0] > 20
    assert centre(organs, "myocardium")[0] > 15
    assert centre(organs, "spine")[1] > centre(organs, "blood")[1] > centre(organs, "sternum")[1]
    heights = [centre(organs, name)[2] for name in ("grey_matter", "thyroid", "lung", "liver", "bladder", "femur")]
    assert heights == sorted(heights, reverse=True)


def test_the_gas_in_the_stomach_floats(organs):
    gas, content = organs.array == LABELS["stomach_gas"], organs.array == LABELS["stomach_content"]
    assert gas.any()
    assert np.argwhere(gas)[:, 1].mean() < np.argwhere(content)[:, 1].mean()


def test_the_diaphragm_has_two_domes_and_falls_to_the_back(standard_patient):
    x = np.array([-62.0, 0.0, 62.0])
    right, middle, left = diaphragm(standard_patient, x, np.full(3, -22.0))
    assert right > left > middle
    assert diaphragm(standard_patient, x, np.full(3, 50.0)).max() < middle


def test_lungs_lie_above_the_liver(organs):
    lung, liver = organs.array == LABELS["lung"], organs.array == LABELS["liver"]
    both = lung.any(axis=0) & liver.any(axis=0)
    assert both.sum() > 100
    lowest_lung, highest_liver = lung.argmax(axis=0), len(liver) - 1 - liver[::-1].argmax(axis=0)
    assert (lowest_lung[both] > highest_liver[both]).all()


def test_back_muscles_lie_beside_the_spines_from_sacrum_to_neck(organs):
    muscle = np.argwhere(organs.array == LABELS["back_muscle"])
    height = muscle[:, 0] * 4 + organs.grid.origin[2]
    assert height.min() < centre(organs, "sacrum")[2]
    assert height.max() > 1500
    assert centre(organs, "back_muscle")[1] > centre(organs, "spine")[1]
    assert centre(organs, "back_muscle")[0] == pytest.approx(0, abs=2)
    assert not (np.abs(muscle[:, 2] * 4 + organs.grid.origin[0]) > 70).any()
