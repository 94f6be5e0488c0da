import csv

import pytest

from ct2pet.training import log as log_module
from ct2pet.training.log import Monitor, TrainingLog, is_loss

MAE = Monitor("validation_mae_suv")


def row(epoch, mae):
    return {"epoch": epoch, "seconds": 1.0, "learning_rate": 1e-3, "g_l1": 0.5, "validation_mae_suv": mae}


def test_the_log_has_one_row_per_epoch_after_a_resumption(tmp_path):
    first = TrainingLog(tmp_path, MAE)
    for epoch in range(2):
        first.add(row(epoch, 2.0 - epoch))
        first.write()
    first.close()
    second = TrainingLog(tmp_path, MAE, first.rows[:1])  # of a checkpoint after the first epoch
    second.add(row(1, 0.5))
    second.write()
    second.close()
    with (tmp_path / "training_log.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [(one["epoch"], one["validation_mae_suv"]) for one in found] == [("0", "2.0"), ("1", "0.5")]


def test_the_best_epoch_of_a_maximized_metric_is_the_first_highest(tmp_path):
    log = TrainingLog(tmp_path, Monitor("validation_dice", maximize=True))
    for epoch, dice in enumerate([0.3, 0.8, 0.5, 0.8]):
        log.add({"epoch": epoch, "validation_dice": dice, "validation_mae_suv": -dice})
    assert log.best["epoch"] == 1
    assert log.epochs_since_best == 2


def test_every_value_ranks_before_the_worst():
    for monitor in (MAE, Monitor("validation_dice", maximize=True)):
        assert monitor.rank(-1e9) < monitor.rank(monitor.worst)
        assert monitor.rank(1e9) < monitor.rank(monitor.worst)


def test_losses_are_the_columns_that_are_no_metric(tmp_path):
    columns = ["epoch", "seconds", "learning_rate", "g_l1", "d_real", "validation_mae_suv", "validation_dice"]
    assert [name for name in columns if is_loss(name)] == ["g_l1", "d_real"]


def test_the_best_epoch_is_the_first_of_the_lowest(tmp_path):
    log = TrainingLog(tmp_path, MAE)
    assert log.epochs_since_best == 0
    for epoch, mae in enumerate([3.0, 1.0, 2.0, 1.0]):
        log.add(row(epoch, mae))
    assert log.best["epoch"] == 1
    assert log.epochs_since_best == 2


@pytest.mark.parametrize(("epoch_seconds", "expected"), [(0.11, [1, 38, 75, 100]), (60.0, list(range(1, 101)))])
def test_the_picture_takes_two_per_cent_of_the_time_at_most_and_shows_the_end(
    tmp_path, monkeypatch, epoch_seconds, expected
):
    now, drawn = [1000.0], []

    def plot(rows, monitor, path):
        now[0] += 0.08
        drawn.append(len(rows))

    monkeypatch.setattr(log_module, "_plot", plot)
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now[0])
    log = TrainingLog(tmp_path, MAE)
    for epoch in range(100):
        now[0] += epoch_seconds
        log.add(row(epoch, 1.0))
        log.write()
    log.close()
    assert drawn == expected


def test_the_legend_of_the_picture_covers_no_curve():
    losses = {f"loss_with_a_long_name_{number}": 0.1 * number for number in range(1, 7)}
    figure = log_module._figure([{**row(epoch, 0.5), **losses} for epoch in range(3)], MAE.column)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert not axes.get_legend().get_window_extent().overlaps(axes.get_window_extent())
    assert axes.get_legend().get_window_extent().x1 <= figure.bbox.x1


def test_the_picture_counts_epochs_from_1_and_names_the_metric_with_its_unit():
    losses, validation = log_module._figure([row(0, 0.5), row(1, 0.4)], MAE.column).axes
    assert [list(axes.lines[0].get_xdata()) for axes in (losses, validation)] == [[1, 2], [1, 2]]
    assert validation.get_ylabel() == "MAE [SUV], patches of the validation cases"


def test_the_picture_of_one_epoch_shows_its_losses_and_counts_whole_epochs():
    figure = log_module._figure([row(0, 0.5)], MAE.column)
    figure.draw_without_rendering()
    losses, validation = figure.axes
    assert losses.lines[0].get_marker() == "."
    (low, high), ticks = validation.get_xlim(), validation.get_xticks()
    assert [tick for tick in ticks if low <= tick <= high] == [1]


def test_a_training_that_made_no_epoch_draws_nothing(tmp_path):
    TrainingLog(tmp_path, MAE, [row(0, 1.0)]).close()
    assert list(tmp_path.iterdir()) == []
