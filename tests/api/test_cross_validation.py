import json
import shutil

import numpy as np
import pytest
from hand_crossval import CASES, DATASET, FOLDS, expected_prediction, real_pet, train_folds, write_crossval
from hand_models import write_trained
from whole_pipeline import content_of, killed_until_done, run

from ct2pet.api.cross_validation import accumulate_crossval_results
from ct2pet.api.prediction import predict
from ct2pet.errors import CheckpointError, DatasetError
from ct2pet.imageio import read_volume
from ct2pet.provenance import case_digests

CHOICE = {"device": "cpu", "num_processes": 1, "float32": True}
FACTORS = {"low": (0.5, 1.5), "high": (2.0, 0.8)}


@pytest.fixture
def work(tmp_path, monkeypatch):
    write_crossval(tmp_path, monkeypatch)
    train_folds(tmp_path, FACTORS)
    return tmp_path


def folder(work):
    return work / "results" / DATASET / "crossval_results" / "scaled__ct2petPlans"


def fold_of(case):
    return next(int(fold) for fold, own in FOLDS.items() if case in own)


def test_each_case_is_predicted_by_the_fold_that_did_not_see_it(work):
    accumulate_crossval_results("900", **CHOICE)
    for case in CASES:
        found = read_volume(folder(work) / f"{case}.nii.gz").array
        low, high = (FACTORS[name][fold_of(case)] for name in ("low", "high"))
        np.testing.assert_allclose(found, expected_prediction(case, low, high), atol=1e-3)


def test_the_predictions_are_those_of_the_command_with_that_fold(work):
    accumulate_crossval_results("900", **CHOICE)
    images = work / "raw" / DATASET / "imagesTr"
    for fold, cases in FOLDS.items():
        predict(images, work / f"fold{fold}", folds=[fold], device="cpu", float32=True)
        for case in cases:
            name = f"{case}.nii.gz"
            assert (folder(work) / name).read_bytes() == (work / f"fold{fold}" / name).read_bytes()


def test_cross_validation_evaluates_each_case_once_and_none_as_a_training_case(work):
    summary = accumulate_crossval_results(900, **CHOICE)
    assert list(summary["cases"]) == CASES
    assert json.loads((folder(work) / "summary.json").read_text()) == summary
    for case in CASES:
        error = np.abs(read_volume(folder(work) / f"{case}.nii.gz").array - real_pet(case).array)
        body = expected_prediction(case, 1, 1) > 0
        assert summary["cases"][case]["whole_body"]["mae"] == pytest.approx(error[body].mean(), abs=1e-4)
    assert summary["provenance"]["evaluated_training_cases"] == []
    made = json.loads((folder(work) / "prediction.json").read_text())
    assert made["out_of_fold"] is True
    assert {name: sorted(folds) for name, folds in made["checkpoints_sha256"].items()} == {
        "low": ["fold_0", "fold_1"],
        "high": ["fold_0", "fold_1"],
    }


def test_killed_and_started_again_it_ends_with_the_same_files(work, monkeypatch):
    accumulate_crossval_results("900", work / "whole", **CHOICE)
    again = work / "again"
    assert killed_until_done(lambda: accumulate_crossval_results("900", again, **CHOICE), monkeypatch) >= 5
    whole, found = content_of(work / "whole"), content_of(again)
    assert {name: found[name] for name in found if name.endswith(".nii.gz")} == {
        name: whole[name] for name in whole if name.endswith(".nii.gz")
    }


def test_a_second_run_predicts_nothing_and_after_another_training_all(work):
    accumulate_crossval_results("900", **CHOICE)
    path = folder(work) / "A.nii.gz"
    before = path.stat().st_mtime_ns
    accumulate_crossval_results("900", **CHOICE)
    assert path.stat().st_mtime_ns == before
    train_folds(work, {"low": (0.7, 0.7)})
    accumulate_crossval_results("900", **CHOICE)
    np.testing.assert_allclose(read_volume(path).array, expected_prediction("A", 0.7, 2.0), atol=1e-3)


def test_a_choice_of_folds_is_written_to_a_separate_folder(work):
    summary = accumulate_crossval_results("900", folds=[1], **CHOICE)
    assert list(summary["cases"]) == ["C", "D"]
    assert folder(work).with_name("scaled__ct2petPlans__folds_1").is_dir()
    assert not folder(work).exists()


def test_a_fold_that_saw_its_validation_cases_is_refused(work):
    origin = {"training_cases": case_digests(DATASET, ["A"]), "num_training_cases": 1}
    write_trained(work / "results", {"low": {0: 0.5}}, origin=origin)
    with pytest.raises(CheckpointError, match=r"fold 0 of .*: trained on A, a validation case"):
        accumulate_crossval_results("900", **CHOICE)


def test_an_untrained_fold_is_named_with_the_command_that_trains_it(work, capsys):
    shutil.rmtree(work / "results" / DATASET / "scaled__ct2petPlans__high" / "fold_1")
    with pytest.raises(CheckpointError, match=f"run ct2pet_train {DATASET} scaled 1 -c high$"):
        accumulate_crossval_results("900", **CHOICE)
    with pytest.raises(DatasetError, match="needs numbered folds, not all; there are: 0, 1"):
        accumulate_crossval_results("900", folds=["all"], **CHOICE)
    assert run("accumulate_crossval_results 900 -f 0 -device cpu -np 1") == 0
    assert "whole_body (n = 2)" in capsys.readouterr().out
