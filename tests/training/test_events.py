import socket

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ct2pet.training.events import EventFile


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tensorboard_reads_what_was_written(tmp_path):
    file = EventFile(tmp_path / "new", 0)
    for step in range(3):
        file.add(step, {"loss": 1.0 / (step + 1), "mae": float(step)})
        assert len(read(tmp_path / "new")["loss"]) == step + 1  # at once, while the training goes on
    file.close()
    found = read(tmp_path / "new")
    assert found["loss"] == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]
    assert found["mae"] == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_steps_done_again_replace_the_first_ones(tmp_path, monkeypatch):
    for start, value in ((0, 1.0), (1, 5.0)):
        monkeypatch.setattr("time.time", lambda start=start: 1e9 + start)
        file = EventFile(tmp_path, start)
        for step in range(start, 3):
            file.add(step, {"loss": value})
        file.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert read(tmp_path)["loss"] == [(0, 1.0), (1, 5.0), (2, 5.0)]


def test_the_file_does_not_name_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "workstation7")
    EventFile(tmp_path, 0).close()
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("events.out.tfevents.")
    assert "workstation7" not in path.name
    assert b"workstation7" not in path.read_bytes()
