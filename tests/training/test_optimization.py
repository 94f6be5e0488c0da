import pytest
import torch
from tiny import tiny_configuration

from ct2pet.errors import TrainingError
from ct2pet.models.base import Model, Update
from ct2pet.planning.requirements import Requirements
from ct2pet.training.optimization import Optimization


class Line(Model):
    """One weight, whose loss is ``slope`` times it."""

    requirements = Requirements(networks={}, passes={})

    def build(self, configuration):
        self.weight = torch.nn.Parameter(torch.tensor([1.0]))

    def optimizers(self):
        return {"line": torch.optim.SGD([self.weight], lr=0.1)}

    def training_step(self, batch):
        loss = (self.weight * batch["slope"]).sum()
        yield Update("line", loss, {"g_line": loss})

    def translate(self, ct):
        return ct * self.weight


def make(clip_norm=100.0, **steps):
    model = Line(tiny_configuration(), {"clip_norm": clip_norm})
    return model, Optimization(model, torch.device("cpu"), **{"total_steps": 10, "decay_steps": 4, **steps})


def test_the_learning_rate_falls_linearly_to_zero_over_the_last_steps():
    _, optimization = make()
    factors = [optimization.learning_rate_factor(step) for step in range(11)]
    assert factors == [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]


def test_a_step_moves_by_rate_times_gradient():
    model, optimization = make()
    optimization.step({"slope": torch.tensor(2.0)}, 0, ["a"])
    assert model.weight.item() == pytest.approx(1 - 0.1 * 2)
    optimization.step({"slope": torch.tensor(2.0)}, 8, ["a"])
    assert model.weight.item() == pytest.approx(0.8 - 0.05 * 2)


def test_a_long_gradient_is_clipped_to_the_norm():
    model, optimization = make(clip_norm=0.5)
    optimization.step({"slope": torch.tensor(40.0)}, 0, ["a"])
    assert model.weight.item() == pytest.approx(1 - 0.1 * 0.5, abs=1e-5)


@pytest.mark.parametrize("slope", [float("nan"), float("inf")])
def test_a_broken_loss_names_step_case_and_loss_and_leaves_the_weights(slope):
    model, optimization = make()
    with pytest.raises(TrainingError, match=r"step 7, cases LIVER_1: the line's .*g_line"):
        optimization.step({"slope": torch.tensor(slope)}, 7, ["LIVER_1"])
    assert model.weight.item() == 1.0
