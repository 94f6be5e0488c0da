import json

import numpy as np
import pytest

from ct2pet.dataset import read_dataset_json, write_dataset_json
from ct2pet.districts import make_segmenter, segment_ct
from ct2pet.districts.base import Segmentation, Segmenter, SegmenterIdentity
from ct2pet.districts.merging import MergedSegmenter, merge_of
from ct2pet.errors import DatasetError
from ct2pet.volume import Grid, Volume

GRID = Grid((6, 5, 4), (3.0, 3.0, 3.0))
CT = Volume(np.zeros(GRID.shape, np.float32), GRID, "HU")
MERGE = {"limbs": ["arms", "legs"], "rest": ["trunk"]}


class Thirds(Segmenter):
    """Arms below, legs in the middle, trunk above; the head is nowhere."""

    name = "thirds"
    version = "1"
    districts = ("head", "trunk", "arms", "legs")

    def settings(self):
        return {"mm": 3}

    def segment(self, case, ct_hu, districts):
        array = np.zeros(ct_hu.grid.shape, np.uint8)
        for start, name in ((0, "arms"), (2, "legs"), (4, "trunk")):
            array[start : start + 2] = districts.get(name, 0)
        return Segmentation(ct_hu.with_array(array, "label"), {"arms": 0.4, "legs": 0.9, "trunk": 0.8}, ("a warning",))


def test_parts_get_the_label_of_the_district_that_takes_them():
    found = segment_ct(MergedSegmenter(Thirds(), MERGE), "A", CT, {"limbs": 7, "rest": 3})
    assert (found.district_map.array[:4] == 7).all()
    assert (found.district_map.array[4:] == 3).all()
    assert found.confidence == {"limbs": 0.4, "rest": 0.8}
    assert found.warnings == ("a warning",)


def test_districts_that_are_merged_into_none_become_background():
    found = segment_ct(MergedSegmenter(Thirds(), {"limbs": ["arms", "legs"]}), "A", CT, {"limbs": 1})
    assert (found.district_map.array[4:] == 0).all()


def test_the_record_states_how_maps_were_merged():
    identity = MergedSegmenter(Thirds(), MERGE).identity("A")
    assert identity == SegmenterIdentity("thirds", "1", {"mm": 3, "merge": MERGE})
    assert merge_of([identity], "thirds") == MERGE
    assert merge_of([identity], "other") is None
    assert merge_of([Thirds().identity("A")], "thirds") is None


@pytest.mark.parametrize(
    ("merge", "reason"),
    [({"limbs": ["wings"]}, "not wings"), ({"a": ["arms"], "b": ["arms", "legs"]}, "take the same part")],
)
def test_a_merge_that_cannot_work_is_refused(merge, reason):
    with pytest.raises(DatasetError, match=reason):
        MergedSegmenter(Thirds(), merge)


def test_the_segmenter_body_labels_the_body_of_a_ct_and_takes_one_district():
    grid = Grid((30, 40, 40), (4.0, 4.0, 4.0))
    hu = np.full(grid.shape, -1000.0, np.float32)
    hu[:, 10:30, 8:28] = 40.0
    body = make_segmenter("body")
    found = segment_ct(body, "A", Volume(hu, grid, "HU"), {"limbs": 5})
    assert np.array_equal(found.district_map.array == 5, hu > 0)
    with pytest.raises(DatasetError, match="one district, not of a, b"):
        segment_ct(body, "A", Volume(hu, grid, "HU"), {"a": 1, "b": 2})


@pytest.mark.parametrize(
    "segmenter",
    [
        "rules",
        {},
        {"name": "rules", "merg": {}},
        {"name": "rules", "merge": {"other": ["arms"]}},
        {"name": "rules", "merge": {"limbs": []}},
    ],
)
def test_dataset_json_names_a_segmenter_in_one_form_only(tmp_path, segmenter):
    with pytest.raises(DatasetError, match=r"dataset\.json.*segmenter"):
        write_dataset_json(tmp_path, name="X", districts={"limbs": 1}, num_training=0, segmenter=segmenter)
    good = {"name": "rules", "merge": {"limbs": ["arms", "legs"]}}
    write_dataset_json(tmp_path, name="X", districts={"limbs": 1}, num_training=0, segmenter=good)
    description = read_dataset_json(tmp_path)
    assert (description.segmenter, description.segmenter_merge) == ("rules", good["merge"])
    assert json.loads((tmp_path / "dataset.json").read_text())["segmenter"] == good
