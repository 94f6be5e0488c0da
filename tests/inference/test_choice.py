import dataclasses
import tempfile

import pytest
from hand_models import Scaled, hand_configuration, hand_plans, write_trained
from two_targets import ScaledAndThresholded, two_target_plans, write_two_target_model

from ct2pet.errors import CheckpointError, Ct2PetError
from ct2pet.inference.choice import chosen_members
from ct2pet.inference.options import PredictionOptions
from ct2pet.layout import CHECKPOINT_FINAL

DATASET = "Dataset900_Tiny"


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "results"))
    monkeypatch.setattr("ct2pet.models.load_model", lambda name: Scaled)
    write_trained(tmp_path / "results", {"low": {0: 0.5, 1: 1.5}, "high": {0: 2.0, 1: 2.0}, "whole_body": {0: 1.0}})
    write_trained(tmp_path / "results", {"low": {0: 0.7}, "high": {0: 0.7}}, model="other")
    return tmp_path / "results"


def names(**options):
    with chosen_members(PredictionOptions(**options)) as members:
        return [member.name for member in members]


def factors(**options):
    """The factors of each member's districts."""
    with chosen_members(PredictionOptions(**options)) as members:
        return [
            {one.name: [round(model.factor.item(), 3) for model in one.models] for one in member.loaded.districts}
            for member in members
        ]


def test_members_of_an_ensemble_are_named_as_their_folders(results):
    wanted = ["scaled__ct2petPlans", "scaled__ct2petPlans__whole_body", "other__ct2petPlans__high+low"]
    assert factors(ensemble=wanted, folds=[0]) == [
        {"low": [0.5], "high": [2.0]},
        {"whole_body": [1.0]},
        {"high": [0.7], "low": [0.7]},
    ]
    assert names(ensemble=wanted, folds=[0]) == [*wanted[:2], "other__ct2petPlans"]


@pytest.mark.parametrize("place", ["", DATASET])
def test_a_folder_of_results_or_of_a_dataset_is_searched_as_the_results_folder_is(
    results, place, monkeypatch, tmp_path
):
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "nothing"))
    assert factors(model_paths=[results / place], model="other") == [{"low": [0.7], "high": [0.7]}]
    with pytest.raises(CheckpointError, match="several trained models; choose one: "):
        names(model_paths=[results / place])


def test_the_folder_of_one_configuration_loads_only_this_configuration(results, monkeypatch):
    folder = results / DATASET / "scaled__ct2petPlans__low"
    assert factors(model_paths=[folder]) == [{"low": [0.5, 1.5]}]
    monkeypatch.chdir(folder)
    assert factors(model_paths=["."], folds=["1"]) == [{"low": [1.5]}]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ensemble": ["scaled"]}, "--ensemble scaled: expected MODEL__PLANS"),
        ({"ensemble": ["scaled__others"]}, "no trained model has -p others; trained are: "),
        ({"ensemble": ["scaled__ct2petPlans", "other__ct2petPlans__low"]}, "have different districts without a model"),
    ],
)
def test_models_that_cannot_be_averaged_are_refused(results, options, problem):
    with pytest.raises(CheckpointError, match=problem):
        names(**options)


def lesion_districts(**options):
    """The factors of the districts of the model for lesions, which is the last member."""
    with chosen_members(PredictionOptions(**{"model": "scaled", "folds": [0], **options})) as members:
        assert [one.for_lesions for one in members] == [False, True]
        return {one.name: round(one.models[0].factor.item(), 3) for one in members[-1].loaded.districts}


def test_a_model_for_lesions_is_chosen_by_name_or_by_path(results, tmp_path):
    both = {"high": 0.7, "low": 0.7}
    assert lesion_districts(lesion_model="other__ct2petPlans") == both
    assert lesion_districts(lesion_model="other__ct2petPlans__high") == {"high": 0.7}
    folder = results / DATASET / "other__ct2petPlans__low"
    assert lesion_districts(lesion_model=folder, plans_name="ct2petPlans") == {"low": 0.7}
    assert lesion_districts(lesion_model="other__ct2petPlans", configurations=["whole_body"]) == both


def test_lesions_are_predicted_only_in_districts_with_a_model(results):
    assert lesion_districts(lesion_model="other__ct2petPlans", configurations=["low"]) == {"low": 0.7}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"lesion_model": "other"}, "^--lesion_model other: no such file or folder; expected MODEL__PLANS"),
        ({"lesion_model": "absent__ct2petPlans"}, "no trained model has -m absent; trained are: "),
        (
            {"lesion_model": "other__ct2petPlans__high", "configurations": ["low"]},
            "^--lesion_model other__ct2petPlans__high: it has no model of a district that .* predicts$",
        ),
    ],
)
def test_models_for_lesions_that_do_not_fit_are_refused(results, options, problem):
    with pytest.raises(CheckpointError, match=problem):
        names(**{"model": "scaled", **options})


def test_files_and_names_exclude_each_other():
    with pytest.raises(Ct2PetError, match="use either --model"):
        PredictionOptions(model_paths=["a.zip"], ensemble=["a__b"])


def test_other_districts_cannot_be_averaged(results):
    plans = dataclasses.replace(
        hand_plans(),
        plans_name="swapped",
        districts={"low": 2, "high": 1},
        configurations={name: hand_configuration(labels=[label]) for name, label in (("low", 2), ("high", 1))},
    )
    write_trained(results, {"low": {0: 1.0}, "high": {0: 1.0}}, plans=plans)
    with pytest.raises(CheckpointError, match="have different districts"):
        names(ensemble=["scaled__ct2petPlans", "scaled__swapped"])


def test_label_maps_cannot_be_averaged(tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_results", str(tmp_path))
    monkeypatch.setattr("ct2pet.models.load_model", lambda name: ScaledAndThresholded)
    write_two_target_model(tmp_path, two_target_plans(), factors=(0.5,))
    (path,) = tmp_path.glob(f"*/*/*/{CHECKPOINT_FINAL}")
    with pytest.raises(CheckpointError, match="organs: a label map"):
        names(model_paths=[path.parents[1]] * 2)
    with pytest.raises(CheckpointError, match=r"^--lesion_model .* predicts organs, which is no PET$"):
        names(model_paths=[path.parents[1]], lesion_model=path.parents[1])


def test_without_a_trained_model_the_built_in_model_predicts_and_one_line_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "nothing"))
    for options in ({}, {"model_paths": ["box"]}):
        with chosen_members(PredictionOptions(**options)) as (member,):
            assert member.trained.dataset_name == "Dataset900_Box"
            assert [one.name for one in member.loaded.districts] == ["head", "trunk", "arms", "legs"]
        (line,) = capsys.readouterr().err.splitlines()
        assert "box, built into ct2pet, trained only on phantoms" in line


@pytest.mark.parametrize("named", [{"dataset": "001"}, {"model": "pix2pix"}, {"checkpoint": "checkpoint_best.pth"}])
def test_a_chosen_model_that_is_not_trained_is_not_replaced_by_the_built_in_model(named, tmp_path, monkeypatch):
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "nothing"))
    with pytest.raises(CheckpointError, match=r"no trained model.*nothing: .*check ct2pet_results, .*--model box"):
        names(**named)


def test_the_name_of_a_model_with_a_typing_error_gets_a_suggestion(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"^--model boxx: no such file or folder; did you mean box\?$"):
        names(model_paths=["boxx"])


@pytest.mark.parametrize("options", [{"configurations": ["leg"]}, {"folds": ["9"]}])
def test_errors_of_an_archive_do_not_name_the_temporary_folder(options):
    with pytest.raises(CheckpointError, match=r"^-d Dataset900_Box .*no checkpoint_final\.pth") as caught:
        names(model_paths=["box"], **options)
    assert tempfile.gettempdir() not in str(caught.value)


def test_a_trained_model_precedes_the_built_in_model(results, capsys):
    assert names(model="scaled") == ["scaled__ct2petPlans"]
    assert capsys.readouterr().err == ""
