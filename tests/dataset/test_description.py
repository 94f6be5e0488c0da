import json

import pytest

from ct2pet.dataset import read_dataset_json, write_dataset_json
from ct2pet.errors import DatasetError

GOOD = {"name": "X", "districts": {"head": 1, "left-arm": 3}, "num_training": 4}


def test_what_is_written_is_read(tmp_path):
    write_dataset_json(tmp_path, **GOOD, file_ending=".mha", licence="CC BY 3.0")
    description = read_dataset_json(tmp_path)
    assert description.districts == {"head": 1, "left-arm": 3}
    assert description.num_training == 4
    assert description.file_ending == ".mha"
    assert description.extra == {"name": "X", "licence": "CC BY 3.0"}
    assert description.organs == {}
    write_dataset_json(tmp_path, **GOOD, organs={"liver": 300, "whole_body": 2})
    description = read_dataset_json(tmp_path)
    assert description.organs == {"liver": 300, "whole_body": 2}
    assert "organs" not in description.extra
    content = json.loads((tmp_path / "dataset.json").read_text())
    assert content["channel_names"] == {"0": "CT"}
    assert content["target"] == {"name": "PET", "unit": "SUVbw g/ml"}


@pytest.mark.parametrize(
    "change",
    [
        {"districts": {}},
        {"districts": {"whole_body": 1}},
        {"districts": {"a__b": 1}},
        {"districts": {"a/b": 1}},
        {"districts": {"..": 1}},
        {"districts": {"": 1}},
        {"districts": {"a": 0}},
        {"districts": {"a": 256}},
        {"districts": {"a": 1, "b": 1}},
        {"organs": {"liver": 0}},
        {"organs": {"liver": 65536}},
        {"organs": {"liver": 1, "spleen": 1}},
        {"organs": {"liver/left": 1}},
        {"organs": ["liver"]},
        {"file_ending": ".png"},
        {"file_ending": "nii.gz"},
        {"num_training": -1},
        {"channel_names": {"0": "CT", "1": "MR"}},
    ],
)
def test_what_cannot_work_is_not_written(tmp_path, change):
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        write_dataset_json(tmp_path, **{**GOOD, **change})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["channel_names", "target", "numTraining", "file_ending", "districts"])
def test_a_missing_key_is_named(tmp_path, key):
    write_dataset_json(tmp_path, **GOOD)
    path = tmp_path / "dataset.json"
    content = json.loads(path.read_text())
    del content[key]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=rf"dataset\.json.*'{key}'"):
        read_dataset_json(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"districts": [1]}'])
def test_what_is_no_description_is_named(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        read_dataset_json(tmp_path)


@pytest.mark.parametrize("labels", ['{"a": true}', '{"a": 1.5}', '{"a": "1"}', "[1]", "null"])
def test_labels_are_whole_numbers(tmp_path, labels):
    write_dataset_json(tmp_path, **GOOD)
    path = tmp_path / "dataset.json"
    content = json.loads(path.read_text())
    content["districts"] = json.loads(labels)
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"dataset\.json.*district"):
        read_dataset_json(tmp_path)
