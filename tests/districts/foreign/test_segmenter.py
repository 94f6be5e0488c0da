"""The process of a foreign package: what it may not do, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from fake_packages import install, write_weights
from known_ct import DISTRICTS, blocks

from ct2pet.districts import make_segmenter, segment_ct
from ct2pet.districts.foreign.segmenter import relabelled
from ct2pet.errors import PluginError

LABELS = {"background": 0, "Legs": 1, "Body": 2, "Head": 3, "Arms": 4}


@pytest.fixture
def moose(tmp_path, monkeypatch):
    """A segmenter with a fake moosez, and a CT for it."""
    install(tmp_path / "packages", "moosez", monkeypatch)
    weights = write_weights(tmp_path / "weights", "Dataset001_body", labels=LABELS)
    return make_segmenter("moose", weights=weights, device="cpu"), blocks((50, 150, 250, 350))[0]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("crash", "moosez failed: RuntimeError: it went wrong"),
        ("exit", "moosez failed: exit code 7: last words"),
        ("killed", "moosez failed: its process was killed (probably out of memory: use a machine with more of it)"),
        ("memory", "moosez failed: not enough memory"),
        ("network", "moosez failed: it wanted something from weights.invalid, but ct2pet lets it use no network"),
    ],
)
def test_a_failure_is_one_line(moose, monkeypatch, action, message):
    monkeypatch.setenv("FAKE", action)
    with pytest.raises(PluginError) as failure:
        segment_ct(moose[0], "case", moose[1], DISTRICTS)
    assert str(failure.value) == message


def test_the_environment_and_the_modules_of_this_process_stay(moose, monkeypatch):
    monkeypatch.setenv("nnUNet_raw", "mine")
    before = dict(os.environ)
    segment_ct(*[moose[0], "case", moose[1], DISTRICTS])
    assert dict(os.environ) == before
    assert "moosez" not in sys.modules


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_processes_of_a_foreign_segmenter_end_with_the_command(moose, tmp_path, monkeypatch, ending):
    processes = tmp_path / "processes"
    monkeypatch.setenv("FAKE", f"hang:{processes}")
    script = (
        "import sys\n"
        "from known_ct import DISTRICTS, blocks\n"
        "from ct2pet.districts import make_segmenter, segment_ct\n"
        "segmenter = make_segmenter('moose', weights=sys.argv[1], device='cpu')\n"
        "segment_ct(segmenter, 'case', blocks((50, 150))[0], DISTRICTS)\n"
    )
    helpers = Path(__file__).parents[2] / "helpers"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(helpers), os.environ["PYTHONPATH"]])}
    ours = subprocess.Popen(
        [sys.executable, "-c", script, str(moose[0].weights)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        foreign = [psutil.Process(int(number)) for number in wait_for(processes.read_text).split()]
        assert len(foreign) == 2
        ours.send_signal(ending)
        ours.wait(60)
        _, alive = psutil.wait_procs(foreign, timeout=60)
        assert not alive
    finally:
        ours.kill()


def wait_for(function, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := function():
                return value
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("it took too long")


def test_labels_are_replaced_and_those_without_a_name_refused():
    labels = np.array([[[0, 1], [2, 7]]], np.uint8)
    found = relabelled(labels, {1: 40, 2: 0, 7: 3, 90: 1}, "it")
    np.testing.assert_array_equal(found, [[[0, 40], [0, 3]]])
    with pytest.raises(PluginError, match="it gave the label 7, for which"):
        relabelled(labels, {1: 40, 2: 0}, "it")
