from dataclasses import replace

import pytest
import torch
from tiny import tiny_plans
from tiny_models import tiny_model
from tiny_store import write_tiny_store
from trainings import SHORT, final_weights, make_trainer, run_until, same

from ct2pet.checkpoint import save_checkpoint
from ct2pet.errors import CheckpointError, PlansError
from ct2pet.training.initial_weights import InitialWeightsDecay


def copy_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def moved(model, by):
    for weight in model.parameters():
        weight.data += by
    return model


@pytest.mark.parametrize("cases", [2, 8])
def test_a_weight_moves_towards_its_initial_value_by_a_share_of_the_distance(cases):
    """By learning rate * decay / training cases; only in networks with initial weights that the optimizers train."""
    model = tiny_model("pix2pix")
    decay = InitialWeightsDecay(model, 10.0, cases)
    initial = copy_of(model)
    decay.begin(["generator"])
    moved(model, 2.0)
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.01) for part in (model.generator, model.discriminator)]
    for _ in range(3):
        decay.update(optimizers)
    left = 2.0 * (1 - 0.01 * 10.0 / cases) ** 3
    wanted = {name: value + (left if name.startswith("generator.") else 2.0) for name, value in initial.items()}
    torch.testing.assert_close(copy_of(model), wanted)
    decay.update(optimizers[1:])
    torch.testing.assert_close(copy_of(model), wanted)


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_it_limits_the_distance_at_any_learning_rate_and_number_of_steps(rate):
    """A constant gradient g moves a weight to g * training cases / decay from its initial value, and no further."""
    model = tiny_model("regression")
    decay, optimizer = InitialWeightsDecay(model, 40.0, 4), torch.optim.SGD(model.parameters(), lr=rate)
    initial = copy_of(model)
    decay.begin(["generator"])
    for _ in range(400):
        for weight in model.parameters():
            weight.grad = torch.full_like(weight, -0.5)
        optimizer.step()
        decay.update([optimizer])
    share = rate * 10
    limit = 0.5 * rate * (1 - share) / share  # the sum of the geometric series; 0.05 where rates are small
    wanted = {name: value + limit for name, value in initial.items()}
    torch.testing.assert_close(copy_of(model), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("strength", "networks"), [(0.0, ["generator"]), (10.0, [])])
def test_without_a_decay_or_initial_weights_nothing_changes(strength, networks):
    model = tiny_model("regression")
    decay = InitialWeightsDecay(model, strength, training_cases=2)
    decay.begin(networks)
    trained = copy_of(moved(model, 2.0))
    decay.update([torch.optim.SGD(model.parameters(), lr=0.01)])
    assert same(copy_of(model), trained)
    assert decay.initial == {}


def test_initial_weights_of_other_networks_are_refused():
    decay = InitialWeightsDecay(tiny_model("regression"), 10.0, 2)
    with pytest.raises(CheckpointError, match="initial weights"):
        decay.load({"other.weight": torch.zeros(1)})
    with pytest.raises(PlansError, match="initial_weights_decay"):
        tiny_model("regression", initial_weights_decay=-1.0)


def test_a_training_stays_near_its_initial_weights_also_after_an_interruption(tmp_path, monkeypatch, capsys):
    """With a decay of 1 / learning rate and more, the weights stay as they are; with less, they are trained."""
    store, start = write_tiny_store(tmp_path / "store"), moved(tiny_model("regression"), 0.1)
    save_checkpoint(tmp_path / "start.pth", {"model": start.state_dict()})
    options = {"model": "regression", "num_epochs": 2, "pretrained_weights": tmp_path / "start.pth"}

    def trainer(name, decay, **changes):
        numbers = {**SHORT, "learning_rate": 1e-3, "initial_weights_decay": decay}
        plans = replace(tiny_plans(), models={"regression": numbers})
        return make_trainer(store, tmp_path / name, plans, **{**options, **changes})

    trainer("fixed", 1e6).run()
    said = "weight decay towards the initial weights: 5e+05 (initial_weights_decay / training cases)"
    assert said in capsys.readouterr().err  # of two training cases
    assert same(final_weights(tmp_path / "fixed"), copy_of(start))

    trainer("whole", 200.0).run()
    run_until(trainer("parts", 200.0), 1, monkeypatch)
    trainer("parts", 200.0, resume=True, pretrained_weights=None).run()
    whole = final_weights(tmp_path / "whole")
    assert same(final_weights(tmp_path / "parts"), whole)
    assert any((weight - start.state_dict()[name]).abs().max() > 1e-4 for name, weight in whole.items())
