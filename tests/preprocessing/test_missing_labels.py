"""Datasets that cannot be stored: organs that no training case has, names, another process."""

from dataclasses import replace

import numpy as np
import pytest
from raw_cases import case_volumes, write_raw
from tiny import tiny_configuration, tiny_plans

from ct2pet.dataset import RawDataset
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import write_json
from ct2pet.imageio import write_volume
from ct2pet.locks import folder_lock
from ct2pet.preprocessing.preprocessor import preprocess_dataset, store_folder
from ct2pet.preprocessing.storage import DistrictStore

PLANS = replace(tiny_plans(), configurations={"low": tiny_configuration(labels=[1])}, districts={"low": 1})


def test_a_label_that_no_training_case_has_is_an_error_when_all_else_is_done(tmp_path):
    cases = {name: case_volumes(seed) for seed, name in enumerate("AB")}
    dataset = write_raw(tmp_path, cases)
    for case, label in (("A", 1), ("B", 2)):
        labels = cases[case]["ct"].with_array(np.full(cases[case]["ct"].array.shape, label, np.uint8), "label")
        write_volume(dataset.folder / "organsTr" / f"{case}.nii", labels)
    organs = {"liver": 1, "spleen": 2}

    def preprocess(labels):
        targets = {"PET": {"kind": "pet"}, "organs": {"kind": "labels", "labels": labels}}
        content = {key: value for key, value in dataset.description.content.items() if key != "target"}
        write_json(dataset.folder / "dataset.json", {**content, "targets": targets})
        found = RawDataset(dataset.folder)
        plans = replace(PLANS, fields=[*found.fields.inputs, *found.fields.targets])
        preprocess_dataset(found, plans, tmp_path / "pre")

    with pytest.raises(DatasetError, match=r"organsTr: no training case has stomach; remove it from organs in"):
        preprocess({**organs, "stomach": 3})
    assert DistrictStore(store_folder(tmp_path / "pre", PLANS, "low")).cases == ["A", "B"]
    preprocess(organs)


def test_two_cases_that_would_share_a_stored_file_are_refused(tmp_path):
    dataset = write_raw(tmp_path, dict.fromkeys(["A", "A_labels"], case_volumes()))
    with pytest.raises(DatasetError, match="the cases A and A_labels would have the same stored file; rename one"):
        preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert not (tmp_path / "pre").exists()


def test_a_store_that_another_process_fills_is_not_touched(tmp_path):
    dataset, store = write_raw(tmp_path, {"A": case_volumes()}), store_folder(tmp_path / "pre", PLANS, "low")
    with folder_lock(store, "a preprocessing"), pytest.raises(Ct2PetError, match=r"process \d+ uses this folder"):
        preprocess_dataset(dataset, PLANS, tmp_path / "pre")
    assert [path.name for path in store.iterdir()] == []
