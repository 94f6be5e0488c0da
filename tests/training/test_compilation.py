import pytest
import torch
from tiny import tiny_configuration

from ct2pet.errors import TrainingError
from ct2pet.models import load_model
from ct2pet.models.base import Model
from ct2pet.planning.requirements import Requirements
from ct2pet.training.compilation import compile_networks

CPU = torch.device("cpu")


class Small(Model):
    """One layer, which a compiler translates in seconds."""

    requirements = Requirements(networks={}, passes={})

    def build(self, configuration):
        self.layer = torch.nn.Linear(3, 3)

    def optimizers(self):
        return {}

    def training_step(self, batch):
        yield from ()

    def translate(self, ct):
        return self.layer(ct).sin()


def test_compiled_code_answers_what_the_network_answers():
    model, image = Small(tiny_configuration()), torch.rand(2, 3)
    expected, names = model.translate(image), list(model.state_dict())
    try:
        compile_networks(model, CPU)
    except TrainingError as error:
        pytest.skip(str(error))
    torch.testing.assert_close(model.translate(image), expected)
    assert list(model.state_dict()) == names


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_all_networks_are_compiled_and_their_weights_keep_their_names(name, monkeypatch):
    compiled = []

    def noting(function, *args, **options):
        compiled.append(function)
        return function

    monkeypatch.setattr(torch, "compile", noting)
    model = load_model(name)(tiny_configuration())
    names = list(model.state_dict())
    compile_networks(model, CPU)
    networks = [network for network in model.children() if any(True for _ in network.parameters())]
    assert [function.__self__ for function in compiled[1:]] == networks
    assert len(networks) == {"pix2pix": 2, "cyclegan": 4}[name]
    assert list(model.state_dict()) == names
    other = load_model(name)(tiny_configuration())
    other.load_state_dict(model.state_dict())


def test_a_training_step_goes_through_the_tracer():
    """Without a compiler behind it: what is traced computes what it computed."""
    from ct2pet.training.optimization import Optimization

    batch = {key: torch.rand(2, 1, 16, 16, 16) for key in ("ct", "pet")}
    batch["mask"] = batch["ct"] > 0.3
    losses = []
    for traced in (False, True):
        torch.manual_seed(0)
        model = load_model("regression")(tiny_configuration())
        if traced:
            model.generator.compile(backend="eager")
        optimization = Optimization(model, CPU, 10, 1)
        losses.append([float(optimization.step(batch, step, ["a"])["g_l1"]) for step in range(2)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_without_a_compiler_it_is_told_in_one_line(monkeypatch):
    def missing(number):
        raise RuntimeError("\nno C++ compiler found\nTraceback ...")

    monkeypatch.setattr(torch, "compile", lambda function: missing)
    with pytest.raises(
        TrainingError, match=r"--compile: torch cannot compile for cpu here \(.*\); leave it out"
    ) as told:
        compile_networks(Small(tiny_configuration()), CPU)
    assert "\n" not in str(told.value)
