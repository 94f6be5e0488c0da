import json

import numpy as np
import pytest
from fake_packages import install, write_weights
from known_ct import blocks

from ct2pet.districts import segment_ct
from ct2pet.districts.organ_segmenters import make_organ_segmenter
from ct2pet.districts.organ_segmenters.totalsegmentator import TotalSegmentatorOrgans
from ct2pet.errors import PluginError

TOTAL = {1: "liver", 2: "kidney_left", 3: "kidney_right", 4: "gallbladder"}


@pytest.fixture
def fake(tmp_path, monkeypatch):
    install(tmp_path / "packages", "TotalSegmentator", monkeypatch)
    monkeypatch.setenv("FAKE_LABELS", json.dumps({"total": TOTAL}))
    return write_weights(tmp_path / "weights", *TotalSegmentatorOrgans.models)


def test_both_kidneys_become_one_label_on_the_grid_of_the_ct(fake):
    ct, block = blocks((50, 150, 250, 350))
    segmenter = make_organ_segmenter("totalsegmentator", weights=fake, device="cpu")
    found = segment_ct(segmenter, "case", ct, {"kidney": 1, "liver": 9})
    np.testing.assert_array_equal(found.district_map.array, np.array([0, 9, 1, 1, 0])[block])
    assert found.district_map.grid == ct.grid
    assert segmenter.settings() == {"tasks": ["total (fast)"]}


def test_weights_of_the_task_body_are_not_needed_and_missing_ones_are_named(fake, tmp_path):
    assert not (fake / "Dataset299_body_1559subj").exists()
    with pytest.raises(PluginError, match=r"the weights of TotalSegmentator are missing, Dataset297_\w+; unpack"):
        make_organ_segmenter("totalsegmentator", weights=tmp_path)
