import csv
import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import tiny_plans
from tiny_store import write_tiny_store
from trainings import (
    AVERAGED,
    CHECKPOINTS,
    SHORT,
    final_weights,
    make_run,
    make_trainer,
    rotating_plans,
    run_until,
    same,
)

from ct2pet.checkpoint import load_checkpoint
from ct2pet.errors import TrainingError
from ct2pet.models import load_model
from ct2pet.models.base import WeightedMean
from ct2pet.training import Stage, Trainer

pytestmark = pytest.mark.usefixtures("without_pictures")
LENGTHS = {
    **AVERAGED,
    "cyclegan": {**SHORT, "pool_size": 3, "accumulate_batches": 2},  # the pool is full when it is interrupted
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"))


def rows_of(folder):
    """The rows of the log without the seconds."""
    with (folder / "training_log.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_interrupted_and_resumed_gives_the_weights_and_log_of_an_uninterrupted_run(store, tmp_path, monkeypatch, model):
    plans = rotating_plans({model: LENGTHS[model]})
    make_trainer(store, tmp_path / "whole", plans, model).run()
    for epoch in (1, 3):
        run_until(make_trainer(store, tmp_path / "parts", plans, model, resume=epoch > 1), epoch, monkeypatch)
    make_trainer(store, tmp_path / "parts", plans, model, resume=True).run()
    for name in CHECKPOINTS:
        whole, parts = (load_checkpoint(tmp_path / run / name) for run in ("whole", "parts"))
        for content in ("model", "optimizers", "scales", "random", "epoch", "best", "average", "training_state"):
            assert same(whole.get(content), parts.get(content)), f"{name}: {content}"
    rows = [rows_of(tmp_path / name) for name in ("whole", "parts")]
    assert [row["epoch"] for row in rows[0]] == ["0", "1", "2", "3"]
    assert rows[0] == rows[1]


def test_the_average_of_the_weights_validates_and_predicts_and_the_weights_themselves_train(store, tmp_path):
    trainer = make_trainer(store, tmp_path, replace(tiny_plans(), models=AVERAGED))
    trainer.run()
    assert "optimizers" not in load_checkpoint(tmp_path / CHECKPOINTS[2])  # two thirds of a file that only predicts
    final, latest = (load_checkpoint(tmp_path / name)["model"] for name in (CHECKPOINTS[2], CHECKPOINTS[0]))
    averaged = {name: tensor for name, tensor in final.items() if name.startswith("generator.")}
    assert same({name: averaged[name] for name in trainer.average.averages}, trainer.average.averages)
    assert not same(averaged, {name: latest[name] for name in averaged})
    assert all(torch.equal(final[name], latest[name]) for name in final.keys() - averaged.keys())

    trainer.method.load_state_dict(final)
    with trainer.optimization.precision.autocast():
        validated = trainer.online_validation.metrics(trainer.model, trainer.device)
    assert validated == {"mae_suv": trainer.log.rows[-1]["validation_mae_suv"]}

    plain = make_trainer(store, tmp_path / "plain", replace(tiny_plans(), models={"pix2pix": SHORT}))
    plain.run()
    assert same(latest, final_weights(tmp_path / "plain"))  # an average does not change the training


def test_a_training_is_determined_by_its_seed(store, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_trainer(store, tmp_path / name, seed=seed, num_epochs=1).run()
    assert same(final_weights(tmp_path / "a"), final_weights(tmp_path / "b"))
    assert not same(final_weights(tmp_path / "a"), final_weights(tmp_path / "c"))


@pytest.mark.numerics
def test_a_training_lowers_the_error_and_keeps_the_best_epoch(store, tmp_path):
    trainer = make_trainer(store, tmp_path, num_epochs=8, iterations_per_epoch=10)
    start = trainer.online_validation.metrics(trainer.model, trainer.device)["mae_suv"]
    trainer.run()
    errors = [row["validation_mae_suv"] for row in trainer.log.rows]
    assert errors[-1] < 0.5 * start
    best = load_checkpoint(tmp_path / "checkpoint_best.pth")
    assert best["epoch"] == 1 + errors.index(min(errors))
    assert best["best"] == min(errors)


class Scored(load_model("regression")):
    """Its monitor is a score of which more is better, and there is a second metric."""

    monitor = "score"
    maximize = True

    def validation_step(self, batch):
        (error,) = super().validation_step(batch).values()
        return {"mae_suv": error, "score": WeightedMean(self.score * error.weight, error.weight)}

    def training_step(self, batch, progress):
        self.score = [0.2, 0.9, 0.5, 0.7][progress.epoch]
        yield from super().training_step(batch, progress)


def test_the_best_epoch_of_a_maximized_monitor_is_the_highest_and_all_metrics_are_logged(store, tmp_path):
    run = make_run(store, tmp_path, rotating_plans({"regression": SHORT}), "regression")
    hyperparameters = run.plans.hyperparameters("regression")
    Trainer(run, Scored(run.configuration, run.plans.all_fields, hyperparameters)).run()
    rows = rows_of(tmp_path)
    assert [float(row["validation_score"]) for row in rows] == pytest.approx([0.2, 0.9, 0.5, 0.7])
    assert all(float(row["validation_mae_suv"]) > 0 for row in rows)
    best = load_checkpoint(tmp_path / "checkpoint_best.pth")
    assert (best["epoch"], best["best"]) == (2, pytest.approx(0.9))


def test_the_log_has_the_learning_rates_of_the_polynomial_schedule(store, tmp_path):
    models = {"regression": {**SHORT, "learning_rate": 1e-3, "schedule": "polynomial"}}
    trainer = make_trainer(store, tmp_path, rotating_plans(models), "regression")
    trainer.run()
    expected = [1e-3 * (1 - epoch / 4) ** 0.9 for epoch in range(4)]
    assert [float(row["learning_rate"]) for row in rows_of(tmp_path)] == pytest.approx(expected)
    last = trainer.optimization.optimizers["generator"].param_groups[0]["lr"]
    assert last == pytest.approx(expected[-1])


def test_a_broken_loss_stops_and_leaves_the_last_checkpoint(store, tmp_path, monkeypatch):
    trainer = make_trainer(store, tmp_path)
    original = trainer.loop.augmenter

    def poisoned(tensors, seed):
        batch = original(tensors, seed)
        if trainer.log.rows:
            batch["CT"][0, 0, 8, 8, 8] = float("nan")
        return batch

    monkeypatch.setattr(trainer.loop, "augmenter", poisoned)
    with pytest.raises(TrainingError, match=r"step 3, cases A[01], A[01]"):
        trainer.run()
    assert load_checkpoint(tmp_path / "checkpoint_latest.pth")["epoch"] == 1


def test_a_stage_that_a_method_does_not_have_is_refused(store, tmp_path):
    run = make_run(store, tmp_path, model="regc2p")
    with pytest.raises(TrainingError, match="no stage 'main' to train; there are: slices, refinement"):
        Trainer(run, run.build(), Stage("main", store))


def test_without_validation_cases_the_training_cases_are_looked_at(store, tmp_path):
    trainer = make_trainer(store, tmp_path, cases=(["A0"], []))
    patches = trainer.online_validation.batches[0]["CT"]
    stored = store.open("A0").read_all()["CT"]
    assert all(np.isin(patch[mask].numpy(), stored).all() for patch, mask in zip(patches, patches > -0.99))


def test_early_stop_finishes_the_training(store, tmp_path, monkeypatch, capsys):
    maes = iter([3.0, 2.0, 2.5, 2.0, 1.0])

    def stop_at_2(folder, **options):
        trainer = make_trainer(
            store, folder, iterations_per_epoch=1, num_epochs=9, early_stop=2, save_every=7, **options
        )
        monkeypatch.setattr(trainer.online_validation, "metrics", lambda model, device: {"mae_suv": next(maes)})
        trainer.run()
        return trainer

    trainer = stop_at_2(tmp_path)
    assert [row["epoch"] for row in trainer.log.rows] == [0, 1, 2, 3]
    assert {load_checkpoint(tmp_path / name)["epoch"] for name in CHECKPOINTS} == {2, 4}
    assert load_checkpoint(tmp_path / "checkpoint_best.pth")["epoch"] == 2
    told = "pix2pix trunk: stopped early after 4 of 9 epochs; best MAE 2 SUV (epoch 2)"
    assert told in capsys.readouterr().err

    before = final_weights(tmp_path)
    assert len(stop_at_2(tmp_path, resume=True).log.rows) == 4  # it does not go on by itself
    assert same(before, final_weights(tmp_path))
    make_trainer(store, tmp_path, iterations_per_epoch=1, num_epochs=6, resume=True).run()  # but where it is asked to
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["epoch"] == 6


def test_a_compiled_training_writes_checkpoints_that_any_other_reads(store, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    plans = replace(tiny_plans(), models=AVERAGED)
    make_trainer(store, tmp_path, plans, compile=True, num_epochs=1).run()
    names = load_checkpoint(tmp_path / "checkpoint_latest.pth")["model"].keys()
    assert not [name for name in names if "_orig_mod" in name]
    make_trainer(store, tmp_path, plans, compile=False, resume=True, num_epochs=2).run()
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["model"].keys() == names


def test_without_checkpointing_the_final_checkpoint_is_the_only_one_and_the_same(store, tmp_path):
    make_trainer(store, tmp_path / "with", num_epochs=2).run()
    make_trainer(store, tmp_path / "without", num_epochs=2, checkpointing=False).run()
    assert [path.name for path in (tmp_path / "without").glob("*.pth")] == ["checkpoint_final.pth"]
    assert same(final_weights(tmp_path / "with"), final_weights(tmp_path / "without"))
    make_trainer(store, tmp_path / "without", num_epochs=2, checkpointing=False, resume=True).run()  # it is finished
    assert same(final_weights(tmp_path / "with"), final_weights(tmp_path / "without"))
    with pytest.raises(TrainingError, match=r"after 2 epochs without checkpoint_latest.pth.*--overwrite repeats"):
        make_trainer(store, tmp_path / "without", num_epochs=3, resume=True).run()
