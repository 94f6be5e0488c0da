import contextlib

import pytest

from ct2pet import console
from ct2pet.training import display as display_module
from ct2pet.training.display import TrainingDisplay
from ct2pet.training.log import Monitor, TrainingLog
from ct2pet.training.schedule import Schedule

MAE = Monitor("validation_mae_suv")


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(console, "time", made)
    monkeypatch.setattr(display_module, "time", made)
    monkeypatch.setattr(console, "clock", lambda seconds: f"in {seconds:.0f} s")
    monkeypatch.setattr(display_module, "clock", lambda seconds: f"in {seconds:.0f} s")
    return made


def row(epoch, mae):
    return {"epoch": epoch, "seconds": 20.0, "learning_rate": 2e-4, "g_l1": 0.5, "validation_mae_suv": mae}


def go(clock, tmp_path, *, epochs=100, iterations=20, seconds=2.0, device="cpu", shown=True, first=0, maes=(0.3, 0.4)):
    """Two epochs of steps of so many seconds each."""
    log = TrainingLog(tmp_path, MAE)
    display = TrainingDisplay("pix2pix trunk", Schedule(epochs, iterations, 1), MAE, device, shown)
    display.start(first, tmp_path)
    with display.live(first):
        for epoch, mae in enumerate(maes, start=first):
            for _ in range(iterations):
                clock.now += seconds
                display.step()
            log.add(row(epoch, mae))
            display.epoch(log.rows[-1], log, best=mae == min(one["validation_mae_suv"] for one in log.rows))
    display.finished(log)


def lines(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_training_prints_its_folder_each_epoch_and_a_summary(clock, tmp_path, capsys):
    go(clock, tmp_path)
    said = lines(capsys)
    assert said[0] == f"pix2pix trunk: epochs 1 to 100 of 20 steps on cpu, into {tmp_path}"
    epochs = [line for line in said if ": epoch " in line]
    assert epochs[0] == (
        "pix2pix trunk: epoch 1/100: 20 s, learning rate 0.0002, g_l1 0.5, validation MAE 0.3 SUV, best so far, "
        "66 min left (until in 3960 s)"
    )
    assert "best so far" not in epochs[1]
    assert said[-1] == "pix2pix trunk: trained 2 epochs in 40 s; best MAE 0.3 SUV (epoch 1)"


def test_the_live_line_never_shows_an_epoch_beyond_the_last_one(clock, tmp_path, monkeypatch):
    shown = []
    bar = console.Progress("pix2pix trunk", 40, "step")
    monkeypatch.setattr(display_module, "progress", lambda *arguments, **options: contextlib.nullcontext(bar))
    monkeypatch.setattr(bar, "on_change", lambda: shown.append(list(bar.notes)))
    go(clock, tmp_path, epochs=2)
    assert [notes[0] for notes in (*shown, bar.notes) if notes] == ["epoch 2/2"] * 21


def test_after_ten_steps_the_duration_is_estimated_with_a_warning_for_long_trainings_on_a_cpu(clock, tmp_path, capsys):
    go(clock, tmp_path, epochs=1000)
    estimates = [line for line in lines(capsys) if "per step" in line]
    seconds = 2 * (1000 * 20 - 10)
    assert len(estimates) == 1
    assert f"2.0 s per step: about 11 h 06 min for this training, until in {seconds} s" in estimates[0]
    assert "on a CPU; --num_epochs" in estimates[0]


@pytest.mark.parametrize(("device", "seconds", "said"), [("cuda", 2.0, False), ("cpu", 0.1, False), ("cpu", 3.0, True)])
def test_only_a_long_training_on_a_cpu_gets_a_hint_to_shorten_it(clock, tmp_path, capsys, device, seconds, said):
    go(clock, tmp_path, device=device, seconds=seconds)
    assert any("--num_epochs" in line for line in lines(capsys)) == said


def test_a_training_of_seconds_is_not_estimated(clock, tmp_path, capsys):
    go(clock, tmp_path, epochs=2, seconds=0.01)
    assert not [line for line in lines(capsys) if "per step" in line]


def test_a_resumed_training_is_estimated_from_the_steps_that_it_makes_itself(clock, tmp_path, capsys):
    go(clock, tmp_path, first=50)
    said = lines(capsys)
    assert said[0].startswith("pix2pix trunk: epochs 51 to 100 of ")
    assert any("about 33 min for this training" in line for line in said)  # 990 steps of 2 s


def test_nothing_is_shown_where_it_is_not_wanted_but_an_early_stop(clock, tmp_path, capsys):
    go(clock, tmp_path, shown=False)
    assert lines(capsys) == []
    log = TrainingLog(tmp_path, MAE, [row(0, 0.3), row(1, 0.4)])
    TrainingDisplay("pix2pix trunk", Schedule(9, 1, 1), MAE, "cpu", False).stopped_early(2, log)
    assert lines(capsys) == ["pix2pix trunk: stopped early after 2 of 9 epochs; best MAE 0.3 SUV (epoch 1)"]
