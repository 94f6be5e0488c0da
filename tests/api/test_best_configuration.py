import json
import shlex
import shutil

import numpy as np
import pytest
from hand_crossval import CASES, DATASET, FOLDS, expected_prediction, train_folds, write_crossval
from hand_models import Scaled
from whole_pipeline import run

from ct2pet.api.best_configuration import find_best_configuration
from ct2pet.api.cross_validation import CrossValidationOptions
from ct2pet.cli import predict
from ct2pet.errors import CheckpointError
from ct2pet.imageio import read_volume

OPTIONS = {"prediction": CrossValidationOptions(device="cpu", num_processes=1, float32=True)}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The districts of "scaled" are 20% too low, its whole body 10% too high, and "other" is 30% too high: the work
    folder, and what is found."""
    root = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        write_crossval(root, patch)
        train_folds(root, {"low": (0.8, 0.8), "high": (0.8, 0.8), "whole_body": (1.1, 1.1)})
        train_folds(root, {"low": (1.3, 1.3), "high": (1.3, 1.3)}, model="other")
        return root, find_best_configuration("900", **OPTIONS)


@pytest.fixture
def work(compared, monkeypatch):
    """The work folder, which the commands use. What is trained must stay."""
    for kind in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"ct2pet_{kind}", str(compared[0] / kind))
    monkeypatch.setattr("ct2pet.models.load_model", lambda name: Scaled)
    return compared[0]


def test_all_models_and_the_means_of_every_two_are_ranked_by_their_error(compared):
    """Of a PET that is the CT times 1, a factor of 1 + x is wrong by x times the PET."""
    _, found = compared
    districts, whole, other = "scaled__ct2petPlans", "scaled__ct2petPlans__whole_body", "other__ct2petPlans"
    factors = {
        f"{other} + {districts}": 1.05,
        f"{districts} + {whole}": 0.95,
        whole: 1.1,
        districts: 0.8,
        f"{other} + {whole}": 1.2,
        other: 1.3,
    }
    assert {one.name for one in found.ranked} == {*factors}
    errors = {one.name: one.numbers["mean"] for one in found.ranked}
    unit = errors[whole] / 0.1
    for name, factor in factors.items():
        assert errors[name] == pytest.approx(unit * abs(factor - 1), rel=0.01), name
    assert list(errors.values()) == sorted(errors.values())
    assert found.left_out == {}


def test_the_command_that_is_printed_predicts_with_the_best(work, capsys, tmp_path):
    assert run("find_best_configuration 900 -device cpu -np 1 --float32") == 0
    printed = capsys.readouterr().out
    assert "Best: other__ct2petPlans + scaled__ct2petPlans" in printed or "Best: scaled" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("next: ")]
    words = shlex.split(line.removeprefix("next: "))
    assert words[0] == "ct2pet_predict"
    images = work / "raw" / DATASET / "imagesTr"
    places = {"INPUT": str(images), "OUTPUT": str(tmp_path / "out")}
    assert predict.main([*(places.get(word, word) for word in words[1:]), "-device", "cpu", "--float32"]) == 0
    record = json.loads((work / "results" / DATASET / "crossval_results" / "best_configuration.json").read_text())
    assert record["command"] == shlex.join(words)
    factor = {"other": 1.05, "scale": 0.95}[record["ranked"][0]["name"][:5]]
    for case in CASES:
        found = read_volume(tmp_path / "out" / f"{case}.nii.gz").array
        np.testing.assert_allclose(found, expected_prediction(case, factor, factor), atol=2e-3)


def test_without_ensembles_the_best_model_is_named_by_its_own_options(work):
    found = find_best_configuration("900", ensembles=False, **OPTIONS)
    assert found.best == "scaled__ct2petPlans__whole_body"
    assert len(found.ranked) == 3
    expected = f"ct2pet_predict -i INPUT -o OUTPUT -d {DATASET} -m scaled -p ct2petPlans -c whole_body -f 0 1"
    assert found.command == expected


def test_only_chosen_methods_are_compared(work):
    found = find_best_configuration("900", models=["other"], **OPTIONS)
    assert [one.name for one in found.ranked] == ["other__ct2petPlans"]
    assert found.ranked[0].test is None
    with pytest.raises(CheckpointError, match=r"no trained model has -m othre; did you mean other[?]; trained are: "):
        find_best_configuration("900", models=["scaled", "othre"], **OPTIONS)
    with pytest.raises(CheckpointError, match=r"no trained model has -p ct2petPlan; did you mean ct2petPlans[?]; tr"):
        find_best_configuration("900", plans_names=["ct2petPlan"], **OPTIONS)


def test_a_method_whose_folds_are_not_all_trained_is_omitted_with_the_reason(work, tmp_path, monkeypatch, capsys):
    shutil.copytree(work / "results", tmp_path / "results")
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    shutil.rmtree(tmp_path / "results" / DATASET / "other__ct2petPlans__low" / "fold_1")
    assert run("find_best_configuration 900 -device cpu -np 1 --float32 --disable_ensembling") == 0
    printed = capsys.readouterr().out
    assert "left out: other__ct2petPlans: " in printed
    assert f"ct2pet_train {DATASET} other 1 -c low" in printed
    with pytest.raises(CheckpointError, match=r"no complete cross-validation: .*ct2pet_train Dataset900_Tiny other 1"):
        find_best_configuration("900", models=["other"], **OPTIONS)


def test_the_out_of_fold_predictions_of_an_ensemble_are_means_and_count_as_unseen(work):
    folder = work / "results" / DATASET / "crossval_results"
    ensemble = folder / "ensemble___scaled__ct2petPlans___scaled__ct2petPlans__whole_body"
    for case in (case for own in FOLDS.values() for case in own):
        one, two = (read_volume(folder / name / f"{case}.nii.gz").array for name in ensemble.name.split("___")[1:])
        np.testing.assert_allclose(read_volume(ensemble / f"{case}.nii.gz").array, (one + two) / 2, atol=1e-6)
    summary = json.loads((ensemble / "summary.json").read_text())
    assert summary["provenance"]["evaluated_training_cases"] == []
