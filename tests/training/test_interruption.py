"""What is left of a training when its process is killed, or its disk is full: all but the epoch under way."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import train_tiny
from full_disk import file_size_limit
from tiny_store import write_tiny_store
from train_tiny import tiny_trainer

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import CheckpointError, TrainingError

pytestmark = pytest.mark.usefixtures("without_pictures")
HELPERS = Path(train_tiny.__file__).parent


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """The weights of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    tiny_trainer(store, folder).run()
    return weights(folder)


def weights(folder):
    return load_checkpoint(folder / "checkpoint_final.pth")["model"]


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_killed_while_it_writes_a_checkpoint_it_ends_with_the_weights_of_an_uninterrupted_run(store, whole, tmp_path):
    command = [sys.executable, str(HELPERS / "train_tiny.py"), str(store.folder), str(tmp_path)]
    latest = tmp_path / "checkpoint_latest.pth"
    with subprocess.Popen(command, cwd=HELPERS) as process:
        deadline = time.monotonic() + 120
        while not (latest.exists() and any(tmp_path.glob(".partial-*-checkpoint_*"))):
            assert time.monotonic() < deadline
            if process.poll() is not None:  # it was too fast and is finished
                break
        process.send_signal(signal.SIGKILL)
    assert load_checkpoint(latest)["epoch"] >= 1
    tiny_trainer(store, tmp_path, resume=True).run()
    assert_same(weights(tmp_path), whole)
    assert not any(tmp_path.glob(".partial-*"))


@pytest.mark.parametrize("lost", ["checkpoint_best.pth", "checkpoint_latest.pth", "checkpoint_final.pth"])
def test_a_disk_that_fills_up_costs_the_epoch_under_way(store, whole, tmp_path, lost, monkeypatch):
    trainer = tiny_trainer(store, tmp_path)
    original = trainer.checkpoints.save

    def save_on_full_disk(name, epoch, content):
        if name == lost and epoch >= 2:
            with file_size_limit(20_000):
                original(name, epoch, content)
        original(name, epoch, content)

    monkeypatch.setattr(trainer.checkpoints, "save", save_on_full_disk)
    with pytest.raises(CheckpointError, match=rf"{lost}: cannot be written .* continue with --c"):
        trainer.run()
    last = 4 if lost == "checkpoint_final.pth" else 1
    assert load_checkpoint(tmp_path / "checkpoint_latest.pth")["epoch"] == last
    tiny_trainer(store, tmp_path, resume=True).run()
    assert_same(weights(tmp_path), whole)


def test_a_log_that_cannot_be_written_costs_the_epoch_under_way(store, whole, tmp_path, monkeypatch):
    trainer = tiny_trainer(store, tmp_path)
    original = trainer.log.write

    def write_on_full_disk():
        with file_size_limit(20 if len(trainer.log.rows) > 1 else 10**9):
            original()

    monkeypatch.setattr(trainer.log, "write", write_on_full_disk)
    with pytest.raises(TrainingError, match=r"the log cannot be written \(File too large\).* continue with --c"):
        trainer.run()
    tiny_trainer(store, tmp_path, resume=True).run()
    assert_same(weights(tmp_path), whole)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_error_in_a_loader_is_raised_with_its_traceback(store, tmp_path, num_workers, monkeypatch):
    trainer = tiny_trainer(store, tmp_path, num_workers=num_workers)

    def broken(number):
        raise OSError(f"batch {number}: no such device")

    monkeypatch.setattr(trainer.loop.loader, "batch", broken)
    with pytest.raises(OSError, match="batch 0: no such device") as raised:
        trainer.run()
    assert "broken" in [entry.name for entry in raised.traceback]
