import contextlib
import csv
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
import work_together
from tiny_store import write_tiny_store

from ct2pet import distributed
from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import TrainingError

METHODS = [
    "pix2pix",
    "cyclegan",
    "regression",
    "lesion_regression",
    "reggan",
    "regc2p.slices",
    "regc2p.refinement",
    "ldos",
]
HELPERS = Path(work_together.__file__).parent


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"), num_cases=4).folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: tmp_path_factory.mktemp("training") / name for name in ("one", "two")}


@pytest.fixture(scope="module")
def both(store, folders):
    """What two processes return after the same work, done once."""
    return work_together.together(work_together.everything, 2, METHODS, store, folders["two"])


def test_every_process_exchanges_with_the_others(both):
    for rank, process in enumerate(both):
        assert process["messages"] == {
            "world_size": 2,
            "is_main_process": rank == 0,
            "batch_share": slice(3 * rank, 3 * rank + 3),
            "all_reduce_mean": [[1.5, 3.0], 5.0],
            "all_reduce_sum": [2.0, 1.0],
            "share_of_mean": [[0.5, 1.5][rank], [0.0, 2.0][rank], 1.0],
            "all_gather": [[0.0, 0.0], [1.0, 1.0]],
            "all_gather_object": ["of 0", "of 1"],
            "broadcast_object": "of 0",
        }


def test_gathering_in_a_single_process_returns_its_values():
    assert work_together.messages() == {
        "world_size": 1,
        "is_main_process": True,
        "batch_share": slice(0, 6),
        "all_reduce_mean": [[1.0, 2.0], 0.0],
        "all_reduce_sum": [1.0, 0.0],
        "share_of_mean": [1.0, 1.0, 1.0],
        "all_gather": [[0.0, 0.0]],
        "all_gather_object": ["of 0"],
        "broadcast_object": "of 0",
    }


def test_every_process_draws_other_noise_and_has_the_same_random_state_after_it(both):
    """All processes seed torch alike, and the main process's state is what checkpoints hold."""
    (first, state), (second, state_of_second) = (process["noise"] for process in both)
    assert first != second
    assert state == state_of_second
    assert (first, state) == work_together.noise()


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_with_half_the_batch_each_have_the_losses_and_weights_of_one_with_the_whole(both, method):
    """Exactly, up to the rounding of float64: gradients, losses with masks of different sizes, the pool of fakes."""
    losses, weights = work_together.losses_and_weights(method)
    for process in both:
        of_two, weights_of_two = process["methods"][method]
        for expected, found in zip(losses, of_two, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)  # they are logged in float32
        torch.testing.assert_close(weights_of_two, weights, rtol=1e-9, atol=1e-10)


def rows(folder):
    with (folder / "training_log.csv").open() as file:
        return [
            {name: float(value) for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)
        ]


def test_a_whole_training_by_two_processes_is_that_of_one(both, store, folders):
    """With loader, augmentation and validation, in float32. The files are those of one process, too."""
    files = work_together.train(store, folders["one"])
    events = [name for name in files if "tfevents" in name]
    assert [name for name in both[0]["files"] if "tfevents" not in name] == [n for n in files if n not in events]
    one, two = rows(folders["one"]), rows(folders["two"])
    assert len(one) == work_together.LENGTH["num_epochs"]
    for expected, found in zip(one, two, strict=True):
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)
    weights = [load_checkpoint(folder / "checkpoint_final.pth")["model"] for folder in folders.values()]
    torch.testing.assert_close(weights[1], weights[0], rtol=0, atol=1e-4)  # 12 steps of 1e-3
    summaries = [(folder / "validation" / "summary.json").exists() for folder in folders.values()]
    assert summaries == [True, True]
    assert {name for name in files if name.endswith(".nii.gz")} == {"A2.nii.gz", "A3.nii.gz"}


def test_a_training_continues_with_another_number_of_processes(both, store, folders):
    """Two processes train half of the epochs, one the rest."""
    part = folders["two"].with_name("part")
    assert load_checkpoint(part / "checkpoint_latest.pth")["epoch"] == 2
    assert work_together.train(store, part, resume=True)
    one, parts = rows(folders["one"]), rows(part)
    for expected, found in zip(one, parts, strict=True):
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(("batch", "fitting"), [(6, "1 or 2 or 3 or 6"), (2, "1 or 2")])
def test_a_batch_that_cannot_be_shared_is_an_error_with_the_possible_numbers_of_processes(monkeypatch, batch, fitting):
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    match = f"a batch of {batch} cannot be shared equally by 4 processes: start {fitting} of them, or .* accumulate_"
    with pytest.raises(TrainingError, match=match):
        distributed.batch_share(batch)


@pytest.mark.parametrize(
    ("device", "reason"), [("mps", "cannot share the device mps"), ("cuda", "more processes here than there are GPUs")]
)
def test_a_device_that_processes_cannot_share_is_an_error(monkeypatch, device, reason):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "64", "LOCAL_RANK": "63"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=reason), distributed.process_group(device):
        pass


def test_one_process_is_used_without_torchrun(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # some clusters set it by themselves
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with distributed.process_group("cpu") as device:
        assert (device, distributed.world_size()) == ("cpu", 1)


def test_a_process_that_fails_ends_the_others_and_its_own_traceback_is_the_cause():
    script = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", HELPERS / "stumble.py"]
    run = subprocess.run(
        script, capture_output=True, text=True, timeout=200, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert run.returncode != 0
    cause = run.stderr.split("Root Cause")[1]
    assert "rank      : 1" in cause
    assert "in stumble\n" in cause
    assert "ValueError: the second process stumbles" in cause


@pytest.mark.timeout(500)
def test_a_training_of_two_processes_continues_with_one(store, tmp_path):
    """Elastic: torchrun notices, starts the one that is left again, and --c continues."""
    steps, target = tmp_path / "steps", tmp_path / "training"
    steps.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = "last_call_timeout=3,keep_alive_interval=1,keep_alive_max_attempt=3"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=1:2", "--nproc_per_node=1", "--max_restarts=3"),
        *("--rdzv_backend=c10d", f"--rdzv_endpoint=127.0.0.1:{port}", "--rdzv_id=7", f"--rdzv_conf={settings}"),
        *(str(HELPERS / "train_elastic.py"), str(store), str(target)),
    ]
    path = os.pathsep.join([str(HELPERS), str(HELPERS.parents[1])])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    with contextlib.ExitStack() as stack:
        machines = []
        for number in range(2):  # the first one keeps the list of those that take part
            log = stack.enter_context((tmp_path / f"{number}.log").open("w"))
            machines.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True))
            stack.callback(end, machines[-1])
            time.sleep(1)
        deadline = time.monotonic() + 200
        while not (target / "checkpoint_latest.pth").exists():
            assert time.monotonic() < deadline, (tmp_path / "0.log").read_text()
            time.sleep(0.1)
        end(machines[1])
        assert machines[0].wait(200) == 0, (tmp_path / "0.log").read_text()
    worlds = [path.name.split("-")[1] for path in sorted(steps.iterdir(), key=lambda path: path.stat().st_mtime_ns)]
    assert worlds.count("2") == 2
    assert worlds[-1] == "1"
    assert len(rows(target)) == work_together.LENGTH["num_epochs"]
    assert (target / "validation" / "summary.json").exists()


def end(machine):
    """A machine that is lost: torchrun and its process, at once."""
    for child in psutil.Process(machine.pid).children(recursive=True) if machine.poll() is None else []:
        child.kill()
    machine.kill()
    machine.wait()
