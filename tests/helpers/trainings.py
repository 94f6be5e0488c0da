"""Trainings of the tiny plans on a tiny store, and ways to interrupt and compare them."""

from dataclasses import replace

import pytest
import torch
from tiny import NO_AUGMENTATION, tiny_plans

from ct2pet.checkpoint import load_checkpoint
from ct2pet.training import Trainer, TrainingOptions, TrainingRun

OPTIONS = TrainingOptions(deterministic=True, show_progress=False, num_workers=0, final_validation=False)
ROTATIONS = {"rotation_degrees": [10.0] * 3, "rotation_probability": 0.5, "noise_std": 0.01, "noise_probability": 1.0}
CHECKPOINTS = [f"checkpoint_{name}.pth" for name in ("latest", "best", "final")]
SHORT = {"num_epochs": 4, "iterations_per_epoch": 3, "decay_epochs": 2}
AVERAGED = {"pix2pix": {**SHORT, "ema_decay": 0.9}}
CASES = (["A0", "A1"], ["A2"])


def rotating_plans(models=None):
    plans = tiny_plans(augmentation=replace(NO_AUGMENTATION, **ROTATIONS))
    return plans if models is None else replace(plans, models=models)


def make_run(store, folder, plans=None, model="pix2pix", cases=CASES, splits=(), **options):
    made = replace(OPTIONS, **options)
    return TrainingRun(model, "trunk", plans or rotating_plans(), store, *cases, folder, made, splits)


def make_trainer(store, folder, plans=None, model="pix2pix", **options):
    run = make_run(store, folder, plans, model, **options)
    return Trainer(run, run.build())


def final_weights(folder):
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
    """Run, and end the process in the middle of ``epoch``."""
    original = trainer.optimization.step

    def step(batch, number, cases):
        if number == epoch * trainer.schedule.iterations + 1:
            raise PulledPlugError
        return original(batch, number, cases)

    monkeypatch.setattr(trainer.optimization, "step", step)
    with pytest.raises(PulledPlugError):
        trainer.run()
