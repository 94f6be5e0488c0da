"""The folds of the benchmark of other programs: who trains and who is predicted, and what is collected."""

import importlib
from pathlib import Path

import pytest

from ct2pet.dataset import RawDataset, write_dataset_json
from ct2pet.files import read_json, write_json

NAMES = [f"STS_{number}" for number in (1, 10, 11, 2, 23, 3, 4, 5, 6)]  # one name begins another one
FILES = {"images": "_0000.nii.gz", "targets": ".nii.gz", "districts": ".nii.gz", "lesions": ".nii.gz"}


@pytest.fixture
def folds(monkeypatch):
    import ct2pet.models

    monkeypatch.setattr(ct2pet.models, "__path__", [*ct2pet.models.__path__])
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("_rival_folds")


@pytest.fixture
def patients(tmp_path):
    raw = tmp_path / "whole" / "Dataset101_STS"
    for kind, ending in FILES.items():
        (raw / f"{kind}Ts").mkdir(parents=True)
        for name in NAMES:
            (raw / f"{kind}Ts" / f"{name}{ending}").write_text(f"{kind} of {name}")
    write_dataset_json(raw, name="STS", districts={"limbs": 1}, num_training=0)
    return RawDataset(raw)


def test_patients_of_a_fold_are_predicted_from_its_others_and_have_their_own_files(folds, patients, tmp_path):
    split = {"train": NAMES[3:], "val": NAMES[:3]}
    raw = folds.write_fold(patients, tmp_path / "fold" / "Dataset101_STS", split)
    assert {*raw.cases("Tr")} == {*split["train"]}
    assert {*raw.cases("Ts")} == {*split["val"]}
    for split in ("Tr", "Ts"):
        for kind, ending in FILES.items():
            files = {file.name: file.read_text() for file in (raw.folder / f"{kind}{split}").iterdir()}
            assert files == {f"{case}{ending}": f"{kind} of {case}" for case in raw.cases(split)}


def test_each_patient_is_predicted_in_one_fold_and_trains_in_all_others(folds):
    splits = folds.splits_of(NAMES, 4)
    assert sorted(case for split in splits.values() for case in split["val"]) == sorted(NAMES)
    assert all(sorted([*split["train"], *split["val"]]) == sorted(NAMES) for split in splits.values())
    assert folds.splits_of(NAMES, 4, 2) == {2: splits[2]}


def test_one_fold_predicts_the_test_patients_of_the_dataset(folds):
    test = {"STS_003", "STS_051"}
    (split,) = folds.splits_of(["STS_001", *sorted(test), "STS_052"], 1).values()
    assert {*split["val"]} == test
    assert {*split["train"]} == {"STS_001", "STS_052"}


def test_the_trainings_and_predictions_of_finished_folds_are_collected(folds, tmp_path):
    for fold, case in enumerate(["STS_1", "STS_2"]):
        write_json(tmp_path / str(fold) / "training.json", [{"steps": 10 + fold, "seconds": 60.0}])
        (tmp_path / str(fold) / f"{case}.nii.gz").write_text(case)
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "STS_1.nii.gz").write_text("an earlier one")
    folds.collect([tmp_path / "0", tmp_path / "1", tmp_path / "not_yet"], tmp_path / "whole")
    assert [one["steps"] for one in read_json(tmp_path / "whole" / "training.json")] == [10, 11]
    assert {path.name: path.read_text() for path in (tmp_path / "whole").glob("*.nii.gz")} == {
        "STS_1.nii.gz": "STS_1",
        "STS_2.nii.gz": "STS_2",
    }
