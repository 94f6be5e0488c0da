import pytest
import torch
from tiny import FIELDS, tiny_configuration

from ct2pet.errors import PlansError, TrainingError
from ct2pet.models import load_model
from ct2pet.models.base import ImageTranslation, Progress, Update
from ct2pet.planning.requirements import Requirements
from ct2pet.training.mixed_precision import Precision
from ct2pet.training.optimization import Optimization
from ct2pet.training.schedule import Schedule

CPU = torch.device("cpu")
SCHEDULE = Schedule(num_epochs=10, iterations=1, decay_steps=4)


class Line(ImageTranslation):
    """One weight, whose loss is ``slope`` times it."""

    requirements = Requirements()
    clip = True

    def build(self, configuration, fields):
        self.weight = torch.nn.Parameter(torch.tensor([1.0]))

    def optimizers(self):
        return {"line": torch.optim.SGD([self.weight], lr=0.1)}

    def training_step(self, batch, progress):
        loss = (self.weight * batch["slope"]).sum()
        yield Update("line", loss, {"g_line": loss}, self.clip)

    def translate(self, inputs):
        return inputs * self.weight


def make(clip_norm=100.0, schedule=SCHEDULE):
    model = Line(tiny_configuration(), FIELDS, {"clip_norm": clip_norm})
    return model, Optimization(model, CPU, schedule)


def test_a_step_moves_by_rate_times_gradient():
    model, optimization = make()
    optimization.step({"slope": torch.tensor(2.0)}, 0, ["a"])
    assert model.weight.item() == pytest.approx(1 - 0.1 * 2)
    optimization.step({"slope": torch.tensor(2.0)}, 8, ["a"])
    assert model.weight.item() == pytest.approx(0.8 - 0.05 * 2)


def test_a_training_step_gets_its_progress():
    model, optimization = make(schedule=Schedule(num_epochs=5, iterations=4, decay_steps=1))
    told = []
    model.training_step = lambda batch, progress: iter(told.append(progress) or [])
    for step in (0, 4, 19):
        optimization.step({"slope": torch.tensor(1.0)}, step, ["a"])
    assert told == [Progress(0, 0, 0.0), Progress(1, 4, 0.2), Progress(4, 19, 0.95)]


@pytest.mark.parametrize("share", [0.5, 0.98, 0.995, 1.0, 1.001, 7.0])
def test_gradients_are_clipped_bit_for_bit_as_torch_does_it(share):
    model, optimization = make(clip_norm=3.0)
    optimization.step({"slope": torch.tensor(3.0 * share)}, 0, ["a"])
    weight = torch.nn.Parameter(torch.tensor([1.0]))
    weight.grad = torch.tensor([3.0 * share])
    torch.nn.utils.clip_grad_norm_([weight], 3.0)
    torch.optim.SGD([weight], lr=0.1).step()
    assert torch.equal(model.weight, weight)


def test_a_long_gradient_is_clipped_to_the_norm():
    model, optimization = make(clip_norm=0.5)
    optimization.step({"slope": torch.tensor(40.0)}, 0, ["a"])
    assert model.weight.item() == pytest.approx(1 - 0.1 * 0.5, abs=1e-5)


@pytest.mark.parametrize("half", [False, True])
def test_an_update_may_do_without_clipping(half):
    model, optimization = half_precision(clip_norm=0.5) if half else make(clip_norm=0.5)
    model.clip = False
    optimization.step({"slope": torch.tensor(0.75)}, 0, ["a"])
    assert model.weight.item() == pytest.approx(1 - 0.1 * 0.75)


def test_without_clipping_a_gradient_that_is_not_finite_is_still_an_error():
    model, optimization = make()
    model.training_step = lambda batch, progress: iter([Update("line", Broken.apply(model.weight).sum(), {}, False)])
    with pytest.raises(TrainingError, match=r"step 3, cases a: .*gradient norm nan"):
        optimization.step({"slope": torch.tensor(1.0)}, 3, ["a"])
    assert model.weight.item() == 1.0


@pytest.mark.parametrize("slope", [float("nan"), float("inf")])
def test_a_broken_loss_names_step_case_and_loss_and_leaves_the_weights(slope):
    model, optimization = make()
    with pytest.raises(TrainingError, match=r"step 7, cases LIVER_1: the line's .*g_line"):
        optimization.step({"slope": torch.tensor(slope)}, 7, ["LIVER_1"])
    assert model.weight.item() == 1.0


def half_precision(clip_norm=100.0):
    """As on a GPU without bf16, where gradients are scaled."""
    model, optimization = make(clip_norm)
    optimization.precision = Precision(CPU, optimization.optimizers, torch.float16)
    return model, optimization


def test_scaled_gradients_are_clipped_at_their_own_size():
    for clip_norm, expected in ((0.5, 1 - 0.1 * 0.5), (100.0, 1 - 0.1 * 2)):
        model, optimization = half_precision(clip_norm)
        optimization.step({"slope": torch.tensor(2.0)}, 0, ["a"])
        assert model.weight.item() == pytest.approx(expected, abs=1e-5)


def test_a_gradient_that_the_scale_let_overflow_skips_the_update_and_lowers_the_scale():
    model, optimization = half_precision()
    model.training_step = lambda batch, progress: iter(
        [Update("line", (model.weight.half() * batch["slope"]).float().sum(), {})]
    )
    seen = []
    for step in range(3):  # float16 ends at 65504; the first scale is 65536
        optimization.step({"slope": torch.tensor(2.0).half()}, step, ["a"])
        seen.append((model.weight.item(), optimization.precision.state()["line"]["scale"]))
    assert seen == [(1.0, 2.0**15), (1.0, 2.0**14), (pytest.approx(1 - 0.1 * 2), 2.0**14)]


class Broken(torch.autograd.Function):
    """Itself, with a gradient that is not a number."""

    forward = staticmethod(lambda context, weight: weight.clone())
    backward = staticmethod(lambda context, gradient: gradient * float("nan"))


def test_under_float16_a_gradient_that_stays_broken_and_a_broken_loss_are_errors_too():
    model, optimization = half_precision()
    model.training_step = lambda batch, progress: iter([Update("line", Broken.apply(model.weight).sum(), {})])
    for step in range(20):
        optimization.step({}, step, ["a"])
    with pytest.raises(TrainingError, match=r"step 20, cases a: .*gradient norm nan"):
        optimization.step({}, 20, ["a"])
    model, optimization = half_precision()
    with pytest.raises(TrainingError, match=r"step 0, cases a: .*g_line nan"):
        optimization.step({"slope": torch.tensor(float("nan"))}, 0, ["a"])
    assert model.weight.item() == 1.0


def random_batch(samples):
    """The masks of the samples differ in size; one is empty, one is full."""
    random = torch.Generator().manual_seed(0)
    shape = (samples, 1, 16, 16, 16)
    batch = {key: torch.rand(shape, generator=random, dtype=torch.float64) for key in ("CT", "PET")}
    shares = torch.tensor([0.9, 0.5, 0.1, 0.0, 1.0, 0.3])[:samples].view(-1, 1, 1, 1, 1)
    return batch | {key: torch.rand(shape, generator=random) < shares for key in ("mask", "target_mask")}


def trained(name, batch, numbers, batch_size):
    """Losses and weights after two steps of plain gradient descent, in float64."""
    torch.manual_seed(0)
    model = load_model(name)(tiny_configuration(batch_size=batch_size), FIELDS, numbers)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.double()
    model.adam = lambda parameters, rate=None: torch.optim.SGD(list(parameters), lr=1e-3)
    optimization = Optimization(model, CPU, Schedule(10, 1, 1))
    optimization.precision = Precision(CPU, optimization.optimizers, None)
    losses = [optimization.step(batch, step, ["a"]) for step in range(2)]
    return losses, model.state_dict()


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "regression"])
def test_accumulated_batches_are_one_large_batch(name):
    batch = random_batch(6)
    whole = trained(name, batch, {}, batch_size=6)
    parts = trained(name, batch, {"accumulate_batches": 3}, batch_size=2)
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)  # L1 is computed in float32
    once = trained(name, {key: tensor[:2] for key, tensor in batch.items()}, {}, batch_size=2)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(once, whole, rtol=1e-5, atol=1e-6)


def test_conditions_are_accumulated_with_their_samples():
    model, optimization = make()
    model.hyperparameters = type(model.hyperparameters)(accumulate_batches=3)
    seen = []
    model.training_step = lambda batch, progress: iter(seen.append((batch["CT"].tolist(), batch["sex"].tolist())) or [])
    optimization.step({"CT": torch.arange(6.0), "sex": torch.arange(6)}, 0, ["a"])
    assert seen == [([0.0, 1.0], [0, 1]), ([2.0, 3.0], [2, 3]), ([4.0, 5.0], [4, 5])]


def test_gradient_accumulation_keeps_activations_of_one_batch():
    """Counted: what autograd keeps, at the moment of the generator's first backward pass."""

    def kept(numbers, samples):
        model = load_model("pix2pix")(tiny_configuration(batch_size=1), FIELDS, numbers)
        optimization = Optimization(model, CPU, Schedule(10, 1, 1))
        held, most = [0], [0]

        class Counted:
            def __init__(self, tensor):
                self.tensor, self.size = tensor, tensor.numel()
                held[0] += self.size
                most[0] = max(most[0], held[0])

            def __del__(self):
                held[0] -= self.size

        batch = {key: torch.rand(samples, 1, 16, 16, 16) for key in ("CT", "PET")}
        batch["mask"] = batch["CT"] > 0.5
        with torch.autograd.graph.saved_tensors_hooks(Counted, lambda counted: counted.tensor):
            optimization.step(batch, 0, ["a"])
        return most[0]

    alone = kept({}, 1)
    assert kept({"accumulate_batches": 4}, 4) < 1.2 * alone
    assert kept({}, 4) > 3 * alone


def test_less_than_one_batch_cannot_be_accumulated():
    with pytest.raises(PlansError, match="accumulate_batches: expected a number of at least 1, not 0"):
        load_model("pix2pix")(tiny_configuration(), FIELDS, {"accumulate_batches": 0})
