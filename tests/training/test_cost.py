from dataclasses import replace

import pytest
import torch
from tiny import tiny_plans
from tiny_store import write_tiny_store
from trainings import make_trainer

from ct2pet.training import cost as cost_module
from ct2pet.training.cost import training_cost

MODELS = {name: {"num_epochs": 7, "iterations_per_epoch": 11} for name in ("pix2pix", "cyclegan", "regc2p")}


@pytest.fixture
def plans():
    return replace(tiny_plans(), models=MODELS)


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_a_training_takes_its_steps_times_the_time_of_one(plans, model, monkeypatch):
    monkeypatch.setattr(cost_module, "_clocked", lambda work, device: 0.25)
    cost = training_cost(plans, "trunk", model, "cpu")
    assert cost.steps == 77
    assert cost.seconds == pytest.approx(77 * 0.25)


def test_the_first_step_does_not_count(plans, monkeypatch):
    times = iter([9.0, 2.0, 1.0])
    monkeypatch.setattr(cost_module, "_clocked", lambda work, device: next(times))
    assert training_cost(plans, "trunk", "pix2pix", "cpu").seconds_per_step == 1.0


def test_the_disk_is_that_of_the_checkpoints_which_a_training_writes(plans, tmp_path):
    store = write_tiny_store(tmp_path / "store")
    make_trainer(store, tmp_path / "run", plans, num_epochs=1, iterations_per_epoch=2).run()
    written = sum(path.stat().st_size for path in (tmp_path / "run").glob("checkpoint_*.pth"))
    assert training_cost(plans, "trunk", "pix2pix", "cpu").checkpoints_gb * 1e9 == pytest.approx(written, rel=0.2)


def test_the_memory_of_unsupported_networks_is_not_estimated(plans, monkeypatch):
    cost = training_cost(plans, "trunk", "pix2pix", "cpu")
    assert cost.memory_gib is None  # the tiny PatchGAN is not one of the planner's
    monkeypatch.setattr(cost_module, "estimate_training_gib", lambda *arguments: 1.5)
    assert training_cost(plans, "trunk", "pix2pix", "cpu").memory_gib == 1.5


def test_an_earlier_stage_counts_with_its_inner_trainings(plans, monkeypatch):
    """RegC2P: the first stage, three inner trainings of it, and the second stage."""
    monkeypatch.setattr(cost_module, "_clocked", lambda work, device: 1.0)
    assert training_cost(plans, "trunk", "regc2p", "cpu").steps == (1 + 3 + 1) * 77


def test_timing_does_not_change_the_random_state_of_the_caller(plans):
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    training_cost(plans, "trunk", "pix2pix", "cpu")
    assert torch.equal(torch.rand(3), expected)
