"""Bodies that do not lie on the back are turned, and only those."""

from dataclasses import replace

import numpy as np
import pytest
from bodies import body, dice, seen, segment

from ct2pet.districts.body import find_body
from ct2pet.districts.segmenters.rules.position import quarter_turns, turned
from ct2pet.phantom.tissues import LABELS
from ct2pet.phantom.views import view


def turned_by(volume, turns):
    """The volume with its content turned in the axial plane, on a grid that fits."""
    array = np.ascontiguousarray(np.rot90(volume.array, turns, axes=(1, 2)))
    return replace(volume, array=array, grid=replace(volume.grid, shape=array.shape))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["chest", "abdomen and pelvis"])
def test_a_turned_trunk_is_turned_back(name, turns):
    ct, _ = seen(name, 1, "down")
    coarse = find_body(turned_by(ct, turns))
    found = quarter_turns(coarse)
    assert (turns + found) % 4 == 0
    back = turned(coarse, found)
    assert back.body.shape == find_body(ct).body.shape == back.grid.shape
    assert (back.body == find_body(ct).body).mean() > 0.99


@pytest.mark.parametrize("name", ["head", "legs", "one thigh", "one arm"])
def test_heads_and_limbs_are_not_turned(name):
    ct, _ = seen(name, 1, "down")
    for turns in (0, 1):
        assert quarter_turns(find_body(turned_by(ct, turns))) == 0


@pytest.mark.parametrize(("turns", "word"), [(1, "side"), (2, "prone"), (3, "side")])
def test_a_chest_in_lateral_position_is_divided_as_in_supine_position_with_a_warning(turns, word):
    ct, truth = seen("chest", 1, "down")
    found = segment(turned_by(ct, turns))
    scores = dice(found.district_map, turned_by(truth, turns))
    assert min(scores.values()) > 0.85
    assert any(word in warning for warning in found.warnings)
    assert max(found.confidence.values()) <= 0.7


def test_a_missing_lung_turns_nothing():
    patient, ct, districts, organs = body(6, "raised")
    hu, left = ct.array.copy(), organs.array == LABELS["lung"]
    left[:, :, : left.shape[2] // 2] = False
    hu[left] = 20  # an effusion
    assert quarter_turns(find_body(ct.with_array(hu).crop(view(patient, districts, "chest")))) == 0
