import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
import two_cpus
from whole_pipeline import content_of, killed_until_done, partial_files, times_of

from ct2pet.api import training
from ct2pet.api.training import options_from, train, train_seeds
from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import CasesFailed, TrainingError
from ct2pet.training import TrainingOptions

HELPERS = Path(two_cpus.__file__).parent
LATEST, FINAL = "checkpoint_latest.pth", "checkpoint_final.pth"
FAST = {"num_epochs": 2, "iterations_per_epoch": 1, "deterministic": True, "show_progress": False, "num_workers": 0}


def go(fold="all", configurations=("low",), **options):
    only_validate = options.pop("only_validate", False)
    return train(
        "901",
        "pix2pix",
        fold,
        configurations=configurations,
        device="cpu",
        options=TrainingOptions(**{**FAST, **options}),
        only_validate=only_validate,
    )


def fold_of(prepared, case):
    """The number of the fold that validates ``case``."""
    splits = json.loads((prepared / "Dataset901_Hand" / "splits_final.json").read_text())
    return next(number for number, split in enumerate(splits) if case in split["val"])


def test_every_district_is_trained_but_not_the_whole_body(results, prepared):
    folders = go(configurations=None, num_epochs=1)
    assert folders == [results / f"pix2pix__ct2petPlans__{name}" / "fold_all" for name in ("low", "high")]
    for folder in folders:
        names = {path.name for path in folder.iterdir() if "tfevents" not in path.name}
        checkpoints = {f"checkpoint_{name}.pth" for name in ("latest", "best", "final")}
        assert names == checkpoints | {"training_log.csv", "progress.png", "provenance.json"}
        for name in ("plans", "dataset"):
            original = prepared / "Dataset901_Hand" / {"plans": "ct2petPlans.json"}.get(name, f"{name}.json")
            assert (folder.parent / f"{name}.json").read_bytes() == original.read_bytes()


def comparable(folder):
    """What two runs must have in common: all but the seconds, and the pictures and files that show them."""
    files = content_of(folder)
    found = {}
    for name, content in files.items():
        if name.endswith(".pth"):
            checkpoint = load_checkpoint(folder / name)
            checkpoint["log"] = [{**row, "seconds": 0} for row in checkpoint["log"]]
            found[name] = checkpoint
        elif name.endswith(".csv"):
            rows = csv.DictReader(content.decode().splitlines())
            found[name] = [{**row, "seconds": 0} for row in rows]
        elif not name.endswith(".png") and "tfevents" not in name:
            found[name] = content
    return found


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_killed_at_any_file_and_continued_it_ends_with_what_an_uninterrupted_run_gives(
    results, prepared, tmp_path, monkeypatch
):
    fold = fold_of(prepared, "case0")
    go(fold)
    whole = comparable(results)
    assert {name.split("/")[-1] for name in whole} >= {"checkpoint_best.pth", "summary.json", "case0.nii.gz"}
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "killed"))
    assert killed_until_done(lambda: go(fold, resume=True), monkeypatch) >= 4
    killed = comparable(tmp_path / "killed" / results.name)
    assert killed.keys() == whole.keys()
    for name, content in whole.items():
        assert same(killed[name], content), name
    assert partial_files(tmp_path / "killed" / results.name / "pix2pix__ct2petPlans__low" / f"fold_{fold}") == []


def test_districts_trained_at_once_have_the_weights_of_districts_trained_one_after_another(
    results, tmp_path, monkeypatch, capfd
):
    one_by_one = [load_checkpoint(folder / FINAL)["model"] for folder in go(configurations=None, num_epochs=1)]
    monkeypatch.setenv("ct2pet_results", str(tmp_path / "at_once"))
    monkeypatch.setattr(training, "choose_devices", lambda device, num_gpus: ["cpu"] * num_gpus)
    capfd.readouterr()
    options = TrainingOptions(**{**FAST, "num_epochs": 1, "show_progress": True})
    folders = train("901", "pix2pix", "all", device="cpu", options=options, num_gpus=2)
    at_once = [load_checkpoint(folder / FINAL)["model"] for folder in folders]
    assert [folder.parent.name for folder in folders] == [f"pix2pix__ct2petPlans__{name}" for name in ("low", "high")]
    assert same(at_once, one_by_one)
    lines = capfd.readouterr().err.splitlines()
    for name in ("low", "high"):
        for told in ("epochs 1 to 1 of 1 steps on cpu, into ", "epoch 1/1: ", "trained 1 epoch in "):
            assert sum(line.startswith(f"[{name}] pix2pix {name}: {told}") for line in lines) == 1


def test_a_district_that_fails_is_named_and_the_next_one_is_trained(results, prepared, tmp_path, monkeypatch):
    go(num_epochs=1)
    with pytest.raises(CasesFailed, match=r"(?s)1 district\(s\) failed:\nlow: .*this training is finished") as failed:
        go(configurations=None, num_epochs=1)
    assert failed.value.some_done
    assert (results / "pix2pix__ct2petPlans__high" / "fold_all" / FINAL).exists()


def test_several_gpus_and_torchrun_exclude_each_other(results, monkeypatch):
    monkeypatch.setattr(training, "choose_devices", lambda device, num_gpus: ["cpu"] * num_gpus)
    monkeypatch.setattr(training.distributed, "launched_by_torchrun", lambda: True)
    with pytest.raises(TrainingError, match="use one of them"):
        train("901", "pix2pix", "all", num_gpus=2)


def children_of(process):
    return psutil.Process(process.pid).children(recursive=True)


def test_ctrl_c_ends_all_districts(results):
    """It comes when both train, and reaches the whole group: no process stays, and what is finished can be
    continued."""
    line = [sys.executable, HELPERS / "two_cpus.py", "901", "pix2pix", "all", "-num_gpus", "2"]
    process = subprocess.Popen(
        [*line, "--num_epochs", "100000", "--iterations_per_epoch", "1"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore Ctrl-C
    )
    began = set()
    for text in process.stderr:
        began |= {name for name in ("low", "high") if f"[{name}] pix2pix {name}: epoch 1/" in text}
        if len(began) == 2:
            break
    workers = [child for child in children_of(process) if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert "ct2pet_train: interrupted" in rest
    assert "Traceback" not in rest
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    for name in began:
        assert load_checkpoint(results / f"pix2pix__ct2petPlans__{name}" / "fold_all" / LATEST)["epoch"] >= 1


def test_finished_districts_are_skipped_when_a_training_is_continued(results):
    (low,) = go(num_epochs=1)
    times = times_of(low)
    _, high = go(configurations=None, num_epochs=1, resume=True)
    assert times_of(low) == times
    assert (high / "checkpoint_final.pth").exists()


def test_val_predicts_with_the_final_weights(results):
    (folder,) = go(num_epochs=1)
    assert not (folder / "validation").exists()  # of the fold all it would be of the training cases
    times = times_of(folder)
    go(num_epochs=1, only_validate=True)
    assert {path: time for path, time in times_of(folder).items() if path in times} == times
    summary = json.loads((folder / "validation" / "summary.json").read_text())
    assert sorted(summary["cases"]) == ["case0", "case1"]


def test_a_fold_without_the_district_is_refused(results, prepared, tmp_path, monkeypatch):
    copy = tmp_path / "preprocessed" / "Dataset901_Hand"
    copy.mkdir(parents=True)
    for path in (prepared / "Dataset901_Hand").iterdir():
        (copy / path.name).symlink_to(path)
    (copy / "splits_final.json").unlink()
    (copy / "splits_final.json").write_text(json.dumps([{"train": ["case2"], "val": ["case0"]}]))
    monkeypatch.setenv("ct2pet_preprocessed", str(tmp_path / "preprocessed"))
    with pytest.raises(TrainingError, match="fold 0: none of its training cases contains the district low"):
        go(0)


def test_the_commands_arguments_become_options():
    arguments = {"num_epochs": 3, "resume": True, "deterministic": True, "device": "cuda", "dataset": "001"}
    assert options_from(arguments) == TrainingOptions(num_epochs=3, resume=True, deterministic=True)


def test_seeds_and_torchrun_exclude_each_other(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="--seeds is not possible with torchrun"):
        train_seeds("901", "pix2pix", "all", num_seeds=2)
