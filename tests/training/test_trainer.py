import csv
import functools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import NO_AUGMENTATION, tiny_plans
from tiny_store import write_tiny_store

from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.evaluation import read_summary
from ct2pet.imageio import read_volume
from ct2pet.provenance import cases_among
from ct2pet.training import Trainer, TrainingOptions
from ct2pet.training import checkpoints as checkpoints_module
from ct2pet.volume import Box

OPTIONS = TrainingOptions(deterministic=True, show_bar=False, num_workers=0, final_validation=False)
ROTATIONS = {"rotation_degrees": [10.0] * 3, "rotation_probability": 0.5, "noise_std": 0.01, "noise_probability": 1.0}

CHECKPOINTS = [f"checkpoint_{name}.pth" for name in ("latest", "best", "final")]
SHORT = {"num_epochs": 4, "iterations_per_epoch": 3, "decay_epochs": 2}
LENGTHS = {
    "pix2pix": {**SHORT, "ema_decay": 0.9},
    "cyclegan": {**SHORT, "pool_size": 3, "accumulate_batches": 2},
}  # of which the pool is full when interrupted


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("store"))


def make(store, folder, plans=None, model="pix2pix", **options):
    if plans is None:
        augmentation = replace(tiny_plans().configuration("trunk").augmentation, **ROTATIONS)
        plans = tiny_plans(augmentation=augmentation)
    return Trainer(model, "trunk", plans, store, (["A0", "A1"], ["A2"]), folder, replace(OPTIONS, **options))


def weights(folder):
    return load_checkpoint(folder / "checkpoint_final.pth")["model"]


def same(one, other):
    """Whether two contents of checkpoints are the same, bit by bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


class PulledPlugError(BaseException):
    """Nothing in the trainer catches this: the process is gone."""


def run_until(trainer, epoch, monkeypatch):
    """Run, and pull the plug in the middle of ``epoch``."""
    original = trainer.optimization.step

    def step(batch, number, cases):
        if number == epoch * trainer.iterations + 1:
            raise PulledPlugError
        return original(batch, number, cases)

    monkeypatch.setattr(trainer.optimization, "step", step)
    with pytest.raises(PulledPlugError):
        trainer.run()


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_interrupted_and_resumed_gives_the_weights_and_log_of_an_uninterrupted_run(store, tmp_path, monkeypatch, model):
    plans = replace(tiny_plans(augmentation=replace(NO_AUGMENTATION, **ROTATIONS)), models={model: LENGTHS[model]})
    make(store, tmp_path / "whole", plans, model).run()
    for epoch in (1, 3):
        run_until(make(store, tmp_path / "parts", plans, model, resume=epoch > 1), epoch, monkeypatch)
    make(store, tmp_path / "parts", plans, model, resume=True).run()
    for name in CHECKPOINTS:
        whole, parts = (load_checkpoint(tmp_path / run / name) for run in ("whole", "parts"))
        for content in ("model", "optimizers", "scales", "random", "epoch", "best_mae", "average", "training_state"):
            assert same(whole.get(content), parts.get(content)), f"{name}: {content}"

    rows = [list(csv.DictReader((tmp_path / name / "training_log.csv").open())) for name in ("whole", "parts")]
    assert [r["epoch"] for r in rows[0]] == ["0", "1", "2", "3"]
    assert [{k: v for k, v in r.items() if k != "seconds"} for r in rows[0]] == [
        {k: v for k, v in r.items() if k != "seconds"} for r in rows[1]
    ]


def test_the_average_of_the_weights_is_judged_and_kept_for_prediction_and_the_weights_themselves_to_go_on(
    store, tmp_path, monkeypatch
):
    plans = replace(tiny_plans(), models={"pix2pix": {**SHORT, "ema_decay": 0.9}})
    trainer = make(store, tmp_path, plans)
    trainer.run()
    assert "optimizers" not in load_checkpoint(tmp_path / CHECKPOINTS[2])  # two thirds of a file that only predicts
    final, latest = (load_checkpoint(tmp_path / name)["model"] for name in (CHECKPOINTS[2], CHECKPOINTS[0]))
    averaged = {name: tensor for name, tensor in final.items() if name.startswith("generator.")}
    assert same({name: averaged[name] for name in trainer.average.averages}, trainer.average.averages)
    assert not same(averaged, {name: latest[name] for name in averaged})
    assert all(torch.equal(final[name], latest[name]) for name in final.keys() - averaged.keys())

    trainer.model.load_state_dict(final)
    judged = trainer.online_validation.mae_suv(trainer.model, trainer.device)
    assert judged == trainer.log.rows[-1]["validation_mae_suv"]

    plain = make(store, tmp_path / "plain", replace(plans, models={"pix2pix": SHORT}))
    plain.run()
    assert same(latest, weights(tmp_path / "plain"))  # the average looks on; it does not train


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(store, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make(store, tmp_path / name, seed=seed, num_epochs=1).run()
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_it_learns_and_keeps_its_best_epoch(store, tmp_path):
    trainer = make(store, tmp_path, num_epochs=8, iterations_per_epoch=10)
    start = trainer.online_validation.mae_suv(trainer.model, trainer.device)
    trainer.run()
    errors = [row["validation_mae_suv"] for row in trainer.log.rows]
    assert errors[-1] < 0.5 * start
    best = load_checkpoint(tmp_path / "checkpoint_best.pth")
    assert best["epoch"] == 1 + errors.index(min(errors))


def test_a_finished_training_is_not_overwritten(store, tmp_path):
    make(store, tmp_path, num_epochs=1).run()
    before = weights(tmp_path)
    with pytest.raises(TrainingError, match=r"is finished; --c"):
        make(store, tmp_path, num_epochs=1).run()
    make(store, tmp_path, num_epochs=1, resume=True).run()
    assert same(before, weights(tmp_path))


def test_a_training_that_goes_on_remembers_its_earlier_runs(store, tmp_path):
    for number in (1, 2, 2):
        make(store, tmp_path, num_epochs=number, iterations_per_epoch=1, seed=number, resume=number > 1).run()
    provenance = load_checkpoint(tmp_path / "checkpoint_final.pth")["provenance"]
    assert [(run["num_epochs"], run["seed"]) for run in provenance["runs"]] == [(1, 1), (2, 2)]
    assert json.loads((tmp_path / "provenance.json").read_text()) == provenance
    assert cases_among(provenance["training_cases"], provenance["dataset_name"], ["A0", "A1", "A2"]) == ["A0", "A1"]


def test_more_epochs_replace_the_final_checkpoint_and_its_validation_wherever_they_are_interrupted(
    store, tmp_path, monkeypatch
):
    options = {"iterations_per_epoch": 1, "final_validation": True}
    make(store, tmp_path, num_epochs=1, **options).run()
    summary = tmp_path / "validation" / "summary.json"
    summary.write_text("of one epoch")

    def killed(path, content):
        if path.name == "checkpoint_final.pth":
            raise PulledPlugError
        save_checkpoint(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints_module, "save_checkpoint", killed)
        with pytest.raises(PulledPlugError):
            make(store, tmp_path, num_epochs=2, resume=True, **options).run()
    make(store, tmp_path, num_epochs=2, resume=True, **options).run()
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["epoch"] == 2
    assert set(read_summary(summary)["cases"]) == {"A2"}


def test_a_checkpoint_of_other_plans_is_not_continued(store, tmp_path, monkeypatch):
    run_until(make(store, tmp_path), 1, monkeypatch)
    with pytest.raises(CheckpointError, match="other plans"):
        make(store, tmp_path, plans=tiny_plans(batch_size=1), resume=True).run()


def test_another_learning_rate_is_not_continued_but_another_length_is(store, tmp_path, monkeypatch):
    plans = tiny_plans()
    run_until(make(store, tmp_path, plans=plans), 1, monkeypatch)
    numbers = plans.models["pix2pix"]
    slower = replace(plans, models={"pix2pix": {**numbers, "learning_rate": 1e-4}})
    with pytest.raises(CheckpointError, match="other plans"):
        make(store, tmp_path, plans=slower, resume=True).run()
    longer = replace(plans, models={"pix2pix": {**numbers, "num_epochs": 5}})
    make(store, tmp_path, plans=longer, resume=True).run()
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["epoch"] == 5


def test_a_broken_loss_stops_and_leaves_the_last_checkpoint(store, tmp_path, monkeypatch):
    trainer = make(store, tmp_path)
    original = trainer.loop.augmenter

    def poisoned(tensors, seed):
        batch = original(tensors, seed)
        if trainer.log.rows:
            batch["ct"][0, 0, 8, 8, 8] = float("nan")
        return batch

    monkeypatch.setattr(trainer.loop, "augmenter", poisoned)
    with pytest.raises(TrainingError, match=r"step 3, cases A[01], A[01]"):
        trainer.run()
    assert load_checkpoint(tmp_path / "checkpoint_latest.pth")["epoch"] == 1


def test_training_cases_without_the_district_are_left_out(store, tmp_path):
    trainer = Trainer("pix2pix", "trunk", tiny_plans(), store, (["A0", "A9"], ["A8"]), tmp_path, OPTIONS)
    assert trainer.training_cases == ["A0"]
    assert trainer.validation_cases == []


def test_a_stage_that_a_method_does_not_have_is_refused(store, tmp_path):
    with pytest.raises(TrainingError, match="no stage 'main' to train; there are: slices, refinement"):
        make(store, tmp_path, model="regc2p")


def test_final_validation_evaluates_whole_cases_in_suv(store, tmp_path):
    trainer = make(store, tmp_path, num_epochs=3, iterations_per_epoch=10, final_validation=True)
    trainer.run()
    summary = read_summary(tmp_path / "validation" / "summary.json")
    prediction = read_volume(tmp_path / "validation" / "A2.nii.gz")
    case = store.open("A2")
    content = case.read(Box((0, 0, 0), case.shape))
    real_suv, mask = 10 * content["pet"].astype(np.float32), content["mask"]
    assert prediction.grid.matches(case.grid)
    assert (prediction.array[~mask] == 0).all()
    assert (prediction.array >= 0).all()
    expected = np.abs(prediction.array - real_suv)[mask].mean()
    assert summary["cases"]["A2"]["trunk"]["mae"] == pytest.approx(expected, rel=1e-4)
    training = [store.open(name).read(Box((0, 0, 0), case.shape)) for name in ("A0", "A1")]
    median = np.median(np.concatenate([10 * part["pet"][part["mask"]].astype(np.float32) for part in training]))
    expected = np.abs(median - real_suv)[mask].mean()
    assert summary["baselines"]["body_median"]["trunk"]["mae"] == pytest.approx(expected, rel=1e-2)
    assert set(summary["mean"]) == {"trunk", "lesions"}


def test_it_stops_early_when_the_validation_gets_no_better_and_finishes(store, tmp_path, monkeypatch, capsys):
    maes = iter([3.0, 2.0, 2.5, 2.0, 1.0])

    def stop_at_2(folder, **options):
        trainer = make(store, folder, iterations_per_epoch=1, num_epochs=9, early_stop=2, save_every=7, **options)
        monkeypatch.setattr(trainer.online_validation, "mae_suv", lambda model, device: next(maes))
        trainer.run()
        return trainer

    trainer = stop_at_2(tmp_path)
    assert [row["epoch"] for row in trainer.log.rows] == [0, 1, 2, 3]
    assert {load_checkpoint(tmp_path / name)["epoch"] for name in CHECKPOINTS} == {2, 4}
    assert load_checkpoint(tmp_path / "checkpoint_best.pth")["epoch"] == 2
    told = "pix2pix trunk: stopped early after 4 of 9 epochs; the best validation MAE, 2 SUV, is of epoch 2"
    assert told in capsys.readouterr().err

    before = weights(tmp_path)
    assert len(stop_at_2(tmp_path, resume=True).log.rows) == 4  # it does not go on by itself
    assert same(before, weights(tmp_path))
    make(store, tmp_path, iterations_per_epoch=1, num_epochs=6, resume=True).run()  # but where it is asked to
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["epoch"] == 6


def test_it_begins_with_the_weights_of_another_training_and_says_so(store, tmp_path, monkeypatch, capsys):
    make(store, tmp_path / "first", num_epochs=1).run()
    options = {"num_epochs": 2, "pretrained_weights": tmp_path / "first"}
    plans = replace(tiny_plans(), models={"pix2pix": {**SHORT, "ema_decay": 0.9}})
    trainer = make(store, tmp_path / "second", plans, **options)
    run_until(trainer, 0, monkeypatch)  # after one step
    trainer = make(store, tmp_path / "second", plans, **options)
    monkeypatch.setattr(trainer, "_epochs", lambda first: 0)
    trainer.run()
    assert same(trainer.model.state_dict(), weights(tmp_path / "first"))
    assert same(trainer.average.weights(), weights(tmp_path / "first"))
    assert "weights taken of generator, discriminator" in capsys.readouterr().err

    run_until(make(store, tmp_path / "second", plans, **options), 1, monkeypatch)
    capsys.readouterr()
    make(store, tmp_path / "second", plans, resume=True, num_epochs=2).run()
    assert "weights taken" not in capsys.readouterr().err
    make(store, tmp_path / "whole", plans, **options).run()
    assert same(weights(tmp_path / "second"), weights(tmp_path / "whole"))
    provenance = load_checkpoint(tmp_path / "second" / "checkpoint_final.pth")["provenance"]
    source = provenance["pretrained_weights"]
    assert (source["configuration"], source["epoch"]) == ("trunk", 1)
    assert source["networks"] == ["generator", "discriminator"]
    assert json.loads((tmp_path / "second" / "provenance.json").read_text()) == provenance


def test_a_compiled_training_writes_checkpoints_that_any_other_reads(store, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    plans = replace(tiny_plans(), models={"pix2pix": {**SHORT, "ema_decay": 0.9}})
    make(store, tmp_path, plans, compile=True, num_epochs=1).run()
    names = load_checkpoint(tmp_path / "checkpoint_latest.pth")["model"].keys()
    assert not [name for name in names if "_orig_mod" in name]
    make(store, tmp_path, plans, compile=False, resume=True, num_epochs=2).run()
    assert load_checkpoint(tmp_path / "checkpoint_final.pth")["model"].keys() == names
