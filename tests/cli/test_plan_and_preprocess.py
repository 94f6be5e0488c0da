from pathlib import Path

import pytest

from ct2pet.api import plan_tables, planning, preprocessing
from ct2pet.cli import extract_fingerprint, plan_and_preprocess, plan_experiment, preprocess


@pytest.fixture
def called(monkeypatch):
    calls = []
    names = dict.fromkeys(("verify", "extract_fingerprint", "plan", "plan_and_preprocess"), planning)
    for name, module in {**names, "preprocess": preprocessing}.items():
        monkeypatch.setattr(
            module, name, lambda *args, name=name, **options: calls.append((name, *args, given(options)))
        )
    for name in ("show_plan", "show_next", "show_costs"):
        monkeypatch.setattr(plan_tables, name, lambda plans, *chosen: None)
    return calls


def given(options):
    return {name: value for name, value in options.items() if value}


def test_every_option_arrives(called):
    line = "-d 1 2 -p mine --verify_dataset_integrity -gpu_memory_target 24 -device cpu -np 3 -c head"
    line += " -overwrite_target_spacing 4 2.5 2"
    line += " --segmenter moose --weights w -m cyclegan regression"
    assert plan_and_preprocess.main(line.split()) == 0
    options = {"plans_name": "mine", "verify_dataset_integrity": True, "gpu_memory_target": 24.0, "device": "cpu"}
    options |= {"segmenter": "moose", "weights": Path("w"), "models": ["cyclegan", "regression"]}
    options |= {"configurations": ["head"], "target_spacing": [4.0, 2.5, 2.0], "num_processes": 3}
    assert called == [("plan_and_preprocess", dataset, options) for dataset in ("1", "2")]


def test_the_three_parts_alone(called):
    assert extract_fingerprint.main(["-d", "1", "--verify_dataset_integrity", "-np", "2"]) == 0
    assert plan_experiment.main(["-d", "1", "-gpu_memory_target", "0.5"]) == 0
    assert preprocess.main(["-d", "1", "-c", "head", "-np", "2"]) == 0
    assert called == [
        ("verify", "1", {"num_processes": 2}),
        ("extract_fingerprint", "1", {"num_processes": 2}),
        ("plan", "1", {"plans_name": "ct2petPlans", "gpu_memory_target": 0.5}),
        ("preprocess", "1", {"plans_name": "ct2petPlans", "configurations": ["head"], "num_processes": 2}),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "-d 1 -np 0",
        "-d 1 -gpu_memory_target 0",
        "-d 1 -device tpu",
        "-np 1",
        "-d 1 -overwrite_target_spacing 4 2",
        "-d 1 -overwrite_target_spacing 4 2 0",
    ],
)
def test_impossible_values_are_refused(called, wrong):
    with pytest.raises(SystemExit) as stop:
        plan_and_preprocess.main(wrong.split())
    assert stop.value.code == 2
    assert called == []
