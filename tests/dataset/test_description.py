import json

import pytest

from ct2pet.dataset import read_dataset_json, update_dataset_json, write_dataset_json
from ct2pet.errors import DatasetError

GOOD = {"name": "X", "districts": {"head": 1, "left-arm": 3}, "num_training": 4}


def test_a_written_dataset_json_is_read_back(tmp_path):
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
        *({"districts": {"trunk": 2, name: 1}} for name in ("whole_body", "lesions", "lesions_in_CT")),
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
        {"lesion_groups": {"shown": 256}},
        {"lesion_groups": ["shown"]},
        {"file_ending": ".png"},
        {"file_ending": "nii.gz"},
        {"num_training": -1},
        {"channel_names": {"0": "CT", "1": "MR"}, "targets": {"PET": {}}},
        {"channel_names": {"1": "CT"}, "targets": {"PET": {}}},
        {"channel_names": {"0": "CT", "1": "CT"}, "targets": {"PET": {}}},
        {"channel_names": {"0": "mask"}, "kinds": {"mask": "ct"}, "targets": {"PET": {}}},
        {"channel_names": {"0": "CT"}, "kinds": {"CT": "mr"}, "targets": {"PET": {}}},
        {"channel_names": {"0": "CT"}, "kinds": {"MR": "ct"}, "targets": {"PET": {}}},
        {"channel_names": {"0": "CT"}, "targets": {}},
        {"channel_names": {"0": "CT"}, "targets": {"something": {}}},
        {"channel_names": {"0": "PET"}, "targets": {"PET": {}}},
        {"channel_names": {"0": "CT"}, "targets": {"organs": {"kind": "labels"}}},
        {"channel_names": {"0": "CT"}, "targets": {"organs": {"kind": "labels", "labels": {"liver": 2}}}},
        {"channel_names": {"0": "CT"}, "targets": {"PET": {"folder": "../x"}}},
        {"channel_names": {"0": "CT"}, "target": {"name": "PET"}, "targets": {"PET": {}}},
        {"body_mask": "PET"},
        {"conditions": {"diagnosis": ["benign"]}},
        {"conditions": {"diagnosis": ["benign", "benign"]}},
        {"conditions": ["diagnosis"]},
    ],
)
def test_an_invalid_description_is_not_written(tmp_path, change):
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
def test_an_invalid_dataset_json_is_named(tmp_path, text):
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


EVERY_KEY = {
    "name": "All",
    "licence": "CC BY 4.0",
    "some_future_key": {"a": [1, None]},
    "channel_names": {"0": "CT", "1": "low_dose"},
    "kinds": {"low_dose": "pet"},
    "targets": {
        "PET": {"kind": "pet", "unit": "SUVbw g/ml", "note": "x"},
        "organs": {"kind": "labels", "labels": {"a": 1}},
    },
    "conditions": {"diagnosis": ["benign", "malignant"]},
    "numTraining": 3,
    "file_ending": ".nii.gz",
    "districts": {},
    "body_mask": "CT",
}


def test_an_update_loses_no_key(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps(EVERY_KEY))
    update_dataset_json(tmp_path, numTraining=7)
    assert json.loads((tmp_path / "dataset.json").read_text()) == {**EVERY_KEY, "numTraining": 7}
    with pytest.raises(DatasetError, match="numTraining"):
        update_dataset_json(tmp_path, numTraining=-1)
    assert read_dataset_json(tmp_path).num_training == 7


def test_fields_have_the_roles_kinds_and_files_that_dataset_json_gives_them(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps(EVERY_KEY))
    fields = read_dataset_json(tmp_path).fields
    assert [(one.name, one.kind, one.folder, one.suffix) for one in fields.inputs] == [
        ("CT", "ct", "images", "_0000"),
        ("low_dose", "pet", "images", "_0001"),
    ]
    assert [(one.name, one.kind, one.folder, one.suffix) for one in fields.targets] == [
        ("PET", "pet", "targets", ""),
        ("organs", "labels", "organs", ""),
    ]
    assert [one.name for one in fields.images] == ["CT", "low_dose", "PET"]
    assert fields["organs"].num_channels == 2
    assert fields["diagnosis"].labels == {"benign": 0, "malignant": 1}
    assert [one.name for one in fields if one.role == "region"] == ["districts", "lesions"]  # organs are a target


@pytest.mark.parametrize(("name", "kind"), [("CT", "ct"), ("low_dose_PET", "pet"), ("PET-15s", "pet"), ("petri", None)])
def test_a_kind_is_read_from_a_whole_word_of_a_name(tmp_path, name, kind):
    content = {"channel_names": {"0": name}, "targets": {"CTarget": {"kind": "ct"}}}
    if kind is None:
        with pytest.raises(DatasetError, match=f"the kind of the channel '{name}' is unknown"):
            write_dataset_json(tmp_path, **GOOD, **content)
    else:
        write_dataset_json(tmp_path, **GOOD, **content)
        assert read_dataset_json(tmp_path).fields[name].kind == kind


def test_the_old_key_target_means_the_same_as_targets(tmp_path):
    for folder, content in {
        "old": {},
        "new": {"channel_names": {"0": "CT"}, "targets": {"PET": {"unit": "SUVbw g/ml"}}},
    }.items():
        write_dataset_json(tmp_path / folder, **GOOD, **content)
    old, new = (read_dataset_json(tmp_path / folder).fields for folder in ("old", "new"))
    assert old == new
    assert "target" in json.loads((tmp_path / "old" / "dataset.json").read_text())


def test_the_body_is_found_in_the_first_input_unless_another_or_none_is_named(tmp_path):
    def body_mask(**content):
        write_dataset_json(tmp_path, **{**GOOD, "districts": {}}, **content)
        return read_dataset_json(tmp_path).body_mask

    both = {"channel_names": {"0": "CT", "1": "low_PET"}, "targets": {"PET": {}}}
    assert body_mask(**both) == "CT"
    assert body_mask(**both, body_mask="low_PET") == "low_PET"
    assert body_mask(**both, body_mask=None) is None
    assert body_mask(channel_names={}, targets={"PET": {}}) is None
