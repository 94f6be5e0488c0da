import subprocess
import sys
from pathlib import Path

import pytest

from ct2pet.api import training, training_table
from ct2pet.cli.train import main
from ct2pet.training import TrainingOptions


@pytest.fixture
def called(monkeypatch):
    calls = []
    monkeypatch.setattr(training, "train", lambda *args, **options: calls.append((args, options)))
    monkeypatch.setattr(training_table, "show_trainings", lambda folders, model, fold: None)
    return calls


def test_defaults_leave_the_numbers_to_the_plans(called):
    assert main(["001", "pix2pix", "all"]) == 0
    ((arguments, options),) = called
    assert arguments == ("001", "pix2pix", "all")
    assert options.pop("options") == TrainingOptions()
    assert options.pop("plans_name") == "ct2petPlans"
    assert {name: value for name, value in options.items() if value} == {"num_gpus": 1}


@pytest.mark.parametrize("other", ["--c", "--val"])
def test_overwrite_and_continue_exclude_each_other(called, capsys, other):
    assert main(["001", "pix2pix", "all", "--overwrite", other]) == 2
    assert capsys.readouterr().err.startswith("ct2pet_train: --overwrite repeats a training, --c continues it")
    assert called == []
    assert main(["001", "pix2pix", "all", "--overwrite"]) == 0
    assert called[0][1]["options"].overwrite


def test_every_option_arrives(called):
    line = "Dataset001_X pix2pix 3 -c head trunk -p mine -device cpu --c --val --num_epochs 7 --iterations_per_epoch 5"
    more = "--save_every 2 --seed 1 --deterministic -num_gpus 4 -pretrained_weights a/b.pth --pretrain_whole_body"
    assert main(f"{line} {more} --early_stop 3 -num_workers 0 --compile --val_best".split()) == 0
    ((arguments, options),) = called
    assert arguments == ("Dataset001_X", "pix2pix", 3)
    wanted = TrainingOptions(
        **{"resume": True, "num_epochs": 7, "iterations_per_epoch": 5, "save_every": 2, "seed": 1},
        validate_best=True,
        **{"deterministic": True, "early_stop": 3, "num_workers": 0, "compile": True},
        pretrained_weights=Path("a/b.pth"),
    )
    assert options == {
        "configurations": ["head", "trunk"],
        "plans_name": "mine",
        "device": "cpu",
        "options": wanted,
        "only_validate": True,
        "num_gpus": 4,
        "pretrain_whole_body": True,
    }


def test_the_best_epoch_is_not_validated_without_checkpoints(called, capsys):
    assert main(["001", "pix2pix", "0", "--disable_checkpointing"]) == 0
    assert called[0][1]["options"] == TrainingOptions(checkpointing=False)
    assert main(["001", "pix2pix", "0", "--disable_checkpointing", "--val_best"]) == 2
    assert "--val_best needs" in capsys.readouterr().err
    assert len(called) == 1


WRONG = ["every", "-1", "0 --seed x", "0 --seeds 1", "0 -num_gpus 0", "0 -num_workers -1", "0 --early_stop 0", ""]


def test_torchrun_can_start_it_as_a_module():
    run = subprocess.run([sys.executable, "-m", "ct2pet.cli.train", "--help"], capture_output=True, text=True)
    assert run.stdout.startswith("usage: ct2pet_train")


@pytest.mark.parametrize("wrong", [f"001 pix2pix {line}" for line in WRONG])
def test_impossible_values_are_refused(called, wrong):
    with pytest.raises(SystemExit) as stop:
        main(wrong.split())
    assert stop.value.code == 2
    assert called == []


def test_seeds_repeat_the_training_with_the_same_options(monkeypatch):
    calls, shown = [], []
    monkeypatch.setattr(training, "train_seeds", lambda *args, **options: calls.append((args, options)))
    monkeypatch.setattr(training_table, "show_seeds", lambda *args: shown.append(args))
    assert main(["001", "pix2pix", "0", "--seeds", "3", "--seed", "7", "-c", "trunk", "--c"]) == 0
    ((arguments, options),) = calls
    assert arguments == ("001", "pix2pix", 0)
    assert (options["num_seeds"], options["configurations"]) == (3, ["trunk"])
    assert options["options"] == TrainingOptions(seed=7, resume=True)
    assert shown == [(None, "pix2pix", 0)]
