import pytest
import torch
from tiny import FIELDS, tiny_configuration
from tiny_models import tiny_model

from ct2pet.errors import TrainingError
from ct2pet.models.base import ImageTranslation
from ct2pet.planning.requirements import Requirements
from ct2pet.training import compilation
from ct2pet.training.compilation import GRAPHS, compile_mode, compile_networks
from ct2pet.training.optimization import Optimization
from ct2pet.training.schedule import Schedule

CPU = torch.device("cpu")


class Small(ImageTranslation):
    """One layer, which a compiler translates in seconds."""

    requirements = Requirements()

    def build(self, configuration, fields):
        self.layer = torch.nn.Linear(3, 3)

    def optimizers(self):
        return {}

    def training_step(self, batch, progress):
        yield from ()

    def translate(self, inputs):
        return self.layer(inputs).sin()


def test_compiled_code_computes_what_the_network_computes():
    model, image = Small(tiny_configuration(), FIELDS), torch.rand(2, 3)
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
    model = tiny_model(name)
    names = list(model.state_dict())
    compile_networks(model, CPU)
    networks = [network for network in model.children() if any(True for _ in network.parameters())]
    assert [function.__self__ for function in compiled[1:]] == networks
    assert len(networks) == {"pix2pix": 2, "cyclegan": 4}[name]
    assert list(model.state_dict()) == names
    other = tiny_model(name)
    other.load_state_dict(model.state_dict())


def test_a_training_step_can_be_traced():
    """Without a compiler behind it: what is traced computes what it computed."""
    batch = {key: torch.rand(2, 1, 16, 16, 16) for key in ("CT", "PET")}
    batch["mask"] = batch["CT"] > 0.3
    losses = []
    for traced in (False, True):
        model = tiny_model("regression")
        if traced:
            model.generator.compile(backend="eager")
        optimization = Optimization(model, CPU, Schedule(10, 1, 1))
        losses.append([float(optimization.step(batch, step, ["a"])["g_l1"]) for step in range(2)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_without_a_compiler_the_error_is_one_line(monkeypatch):
    def missing(number):
        raise RuntimeError("\nno C++ compiler found\nTraceback ...")

    monkeypatch.setattr(torch, "compile", lambda function: missing)
    with pytest.raises(
        TrainingError, match=r"--compile: torch cannot compile for cpu here \(.*\); run without --compile"
    ) as told:
        compile_networks(Small(tiny_configuration(), FIELDS), CPU)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("device", "patch", "batch", "mode"),
    [
        ("cuda", 32, 4, GRAPHS),
        ("cuda", 32, 5, None),
        ("cuda:1", 48, 1, GRAPHS),
        ("cuda", 64, 1, None),
        ("cpu", 32, 1, None),
    ],
)
def test_small_batches_on_a_gpu_are_replayed_as_cuda_graphs(device, patch, batch, mode):
    planned = tiny_configuration(patch_size=[patch] * 3, batch_size=batch)
    assert compile_mode(torch.device(device), planned) == mode


@pytest.mark.parametrize("mode", [GRAPHS, None])
def test_with_cuda_graphs_each_step_begins_with_a_mark(mode, monkeypatch):
    calls = []
    monkeypatch.setattr(compilation, "compile_mode", lambda device, planned: mode)
    monkeypatch.setattr(torch, "compile", lambda function, mode=None: calls.append(mode) or function)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: calls.append("mark"))
    model = Small(tiny_configuration(), FIELDS)
    optimization = Optimization(model, CPU, Schedule(10, 1, 1))
    optimization.before_step = compile_networks(model, CPU)
    for number in range(2):
        optimization.step({}, number, ["a"])
    assert calls == [None, mode, *(["mark"] * 2 if mode else [])]
