"""Arms that touch head or trunk: their bones are found and followed."""

import numpy as np
import pytest
from bodies import body, dice, segment

from ct2pet.districts.body import find_body
from ct2pet.districts.segmenters.rules.arms import find_arms
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.districts.segmenters.rules.sections import cut_sections
from ct2pet.phantom import DISTRICTS
from ct2pet.phantom.views import view
from ct2pet.resampling import resample


@pytest.fixture(scope="module")
def chest():
    """A patient with the arms down: CT, and truth on the grid of the scene."""
    patient, ct, districts, _ = body(1, "down")
    box = view(patient, districts, "chest")
    ct, districts = ct.crop(box), districts.crop(box)
    scene = Scene(find_body(ct))
    return ct, districts, scene, resample(districts, scene.grid, labels=True).array == DISTRICTS["arms"]


def test_humeri_are_found_without_a_separate_section(chest):
    _, _, scene, truth = chest
    arms = find_arms(scene, cut_sections(scene), np.zeros_like(scene.body))
    assert 2 * (arms & truth).sum() / (arms.sum() + truth.sum()) > 0.7
    half = arms.shape[2] // 2
    assert 0.8 < arms[:, :, :half].sum() / arms[:, :, half:].sum() < 1.25


def test_no_arm_is_found_where_there_is_none(chest):
    ct, districts, _, _ = chest
    hu = np.where(districts.array == DISTRICTS["arms"], -1000, ct.array)
    scene = Scene(find_body(ct.with_array(hu)))
    assert not find_arms(scene, cut_sections(scene), np.zeros_like(scene.body)).any()


def test_flesh_between_arm_and_trunk_costs_little(chest):
    """A sling or a fold of skin joins both arms to the trunk along their whole length."""
    ct, districts, _, _ = chest
    hu = ct.array.copy()
    near = np.zeros(hu.shape, dtype=bool)
    rows = np.flatnonzero((districts.array == DISTRICTS["arms"]).any(axis=(0, 2)))
    near[:, rows[len(rows) // 2] - 2 : rows[len(rows) // 2] + 3] = True
    columns = np.flatnonzero((districts.array == DISTRICTS["arms"]).any(axis=(0, 1)))
    near[:, :, : columns[0]] = near[:, :, columns[-1] + 1 :] = False
    hu[near & (hu < -300) & (districts.array == 0)] = 30
    scores = dice(segment(ct.with_array(hu)).district_map, districts)
    assert scores["arms"] > 0.8
    assert scores["trunk"] > 0.95
