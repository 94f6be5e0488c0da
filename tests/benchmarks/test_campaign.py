"""The campaign: each problem is recognised, each change is of its seed, and a command that hangs is ended."""

import gzip
import importlib
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from random import Random

import nibabel
import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def outcome(module, code, text="", **more):
    return module("_campaign_runs").Outcome("predict -i x", code, text, 1.0, **more)


@pytest.mark.parametrize(
    ("code", "text", "more", "expected"),
    [
        (0, "done", {}, None),
        (2, "ct2pet_predict: a.nii.gz: cut off", {}, None),
        (2, "ct2pet_predict: cut off", {}, "unnamed"),
        (2, "ct2pet_predict: unexpected KeyError: 'a.nii.gz'", {}, "traceback"),
        (1, "Traceback (most recent call last):\na.nii.gz", {}, "traceback"),
        (-11, "", {}, "crash"),
        (99, "a.nii.gz", {}, "crash"),
        (2, "a.nii.gz: not enough memory", {}, "memory"),
        (-9, "", {"timed_out": True}, "hang"),
    ],
)
def test_a_command_that_ends_wrongly_is_put_into_its_class(module, code, text, more, expected):
    runs = module("_campaign_runs")
    assert runs.problem(outcome(module, code, text, **more), ("a.nii.gz",)) == expected
    assert expected is None or expected in runs.CLASSES


@pytest.mark.parametrize(
    ("code", "more", "expected"),
    [
        (143, {"waited": 1.0}, None),
        (-15, {"waited": 0.1}, None),  # before the command began
        (0, {"waited": None}, None),  # after it had ended
        (0, {"waited": 0.5}, None),  # in its last moment
        (0, {"waited": 9.0}, "lost signal"),
        (2, {"waited": 1.0}, "lost signal"),
        (-9, {"waited": 30.0, "timed_out": True}, "lost signal"),
    ],
)
def test_a_signal_that_did_not_end_the_command_is_lost(module, code, more, expected):
    runs = module("_campaign_runs")
    assert runs.problem_of_signal(outcome(module, code, **more), signal.SIGTERM) == expected


def test_a_command_runs_in_a_process_of_its_own_and_is_ended_when_it_hangs(module, tmp_path, monkeypatch):
    runs = module("_campaign_runs")
    refused = runs.run("split -d 999", tmp_path, 60)
    assert refused.code == 2
    assert refused.text.startswith("ct2pet_split: ")
    assert str(tmp_path / "raw") in refused.text
    (tmp_path / "hanging.py").write_text("import time\ndef main(arguments):\n    time.sleep(60)")
    monkeypatch.setattr(runs, "import_module", lambda name: importlib.import_module("hanging"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert runs.run("hanging", tmp_path, 0.5).timed_out
    ended = runs.run("hanging", tmp_path, 60, runs.Interruption(signal.SIGTERM, 0.5))
    assert (ended.code, ended.timed_out) == (-15, False)
    assert ended.waited < 10
    sys.modules.pop("hanging", None)


def write_files(folder):
    folder.mkdir()
    nibabel.save(nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4)), folder / "ct.nii.gz")
    (folder / "plans.json").write_text(json.dumps({"a": {"b": [1, 2, {"c": "x"}]}, "d": 1.5}))
    return folder


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("flip_bytes", "plans.json"),
        ("cut_off", "ct.nii.gz"),
        ("change_json", "plans.json"),
        ("change_nifti", "ct.nii.gz"),
    ],
)
def test_a_change_is_of_its_seed_and_leaves_links_of_the_file_alone(module, tmp_path, name, file):
    change = getattr(module("_campaign_mutations"), name)
    changed = set()
    for seed in range(30):
        contents, words = [], []
        for copy in "ab":
            path = write_files(tmp_path / f"{seed}{copy}") / file
            original = path.read_bytes()
            linked = path.with_name("link")
            linked.hardlink_to(path)
            words.append(change(path, Random(seed)))
            contents.append(path.read_bytes())
            assert linked.read_bytes() == original
        assert words[0] == words[1]
        if not file.endswith(".gz") or name == "cut_off":  # the time is in a compressed file
            assert contents[0] == contents[1]
        if contents[0] != original:
            changed.add(words[0])
    assert len(changed) >= 5


def test_a_bit_more_in_the_header_is_what_nibabel_reads(module, tmp_path):
    path = write_files(tmp_path / "x") / "ct.nii.gz"
    mutations = module("_campaign_mutations")
    for seed in range(40):
        words, _ = mutations._change_affine(path, Random(seed))
        image = nibabel.load(path)
        if "1 km" in words:
            assert np.abs(image.affine[:3, 3]).min() > 1e5
        if "no codes" in words:
            assert image.header["sform_code"] == image.header["qform_code"] == 0
    assert len(gzip.decompress(path.read_bytes())) == 352 + 48


def test_times_and_dates_of_two_equal_runs_are_not_compared(module, tmp_path):
    results = module("_campaign_results")
    digests = []
    for number in range(2):
        root = tmp_path / str(number)
        root.mkdir()
        (root / "x.json").write_text(json.dumps({"date": number, "deep": [{"seconds": number}], "mae": 1}))
        (root / "log.csv").write_text(f"epoch,seconds\n1,{number}\n")
        (root / "maes.json").write_text(json.dumps({"mae": number}))
        (root / f".partial-{number}").touch()
        digests.append(results.digests(root, ["*"]))
        assert results.partial_files(root) == [f".partial-{number}"]
    assert results.differing(*digests) == ["maes.json"]
    assert results.differing({}, digests[0]) == []


def test_the_table_counts_trials_and_problems(module):
    campaign = module("campaign")
    lines = campaign.table(Counter({"CT": 3, "plans": 2}), Counter({("CT", "hang"): 2})).splitlines()
    header, first, second = (line.split() for line in lines)
    assert header[:3] == ["trials", "crash", "hang"]
    assert first == ["CT", "3", ".", "2", *"....."]
    assert second == ["plans", "2", *"......."]
