"""On a GPU numbers that are not finite are read one step later; the same code runs here on the CPU."""

import math

import pytest
import torch
from devices import CrossDeviceCopies
from tiny import FIELDS, tiny_configuration
from tiny_models import tiny_model

from ct2pet.errors import TrainingError
from ct2pet.losses import smoothness
from ct2pet.models.base import ImageTranslation, Update
from ct2pet.planning.requirements import Requirements
from ct2pet.training.optimization import Optimization
from ct2pet.training.schedule import Schedule

SCHEDULE = Schedule(num_epochs=10, iterations=1, decay_steps=4)


class Two(ImageTranslation):
    """Two weights with an optimizer each, whose losses are ``one`` and ``two`` times them."""

    requirements = Requirements()

    def build(self, configuration, fields):
        self.one, self.two = (torch.nn.Parameter(torch.tensor([1.0])) for _ in range(2))

    def optimizers(self):
        return {"one": self.adam([self.one], 0.1), "two": self.adam([self.two], 0.1)}

    def training_step(self, batch, progress):
        for name in ("one", "two"):
            loss = (getattr(self, name) * batch[name]).sum()
            yield Update(name, loss, {f"l_{name}": loss})

    def translate(self, inputs):
        return inputs


def make(checks_later=True):
    model = Two(tiny_configuration(), FIELDS)
    optimization = Optimization(model, torch.device("cpu"), SCHEDULE)
    optimization.checks_later = checks_later
    return model, optimization


def step(optimization, number, one=1.0, two=1.0):
    return optimization.step({"one": torch.tensor(one), "two": torch.tensor(two)}, number, [f"case{number}"])


def test_finite_steps_are_those_of_a_check_at_once():
    models = []
    for checks_later in (True, False):
        model, optimization = make(checks_later)
        for number in range(5):
            step(optimization, number, one=float(number - 2), two=0.5)
        optimization.finish()
        models.append((model.state_dict(), optimization.state()))
    (weights, state), (expected, expected_state) = models
    for name, value in expected.items():
        assert torch.equal(weights[name], value)
    assert str(state) == str(expected_state)


@pytest.mark.parametrize("broken", [math.inf, math.nan])
def test_a_broken_update_is_omitted_and_the_next_step_reports_it(broken):
    model, optimization = make()
    step(optimization, 0)
    before = model.one.item()
    step(optimization, 1, one=broken)
    assert model.one.item() == before
    match = f"step 1, cases case1: the one's loss or gradient is not finite .l_one {broken:.4g}; gradient norm "
    with pytest.raises(TrainingError, match=match):
        step(optimization, 2)


def test_the_other_update_of_a_broken_step_is_made():
    model, optimization = make()
    step(optimization, 0, one=math.nan)
    assert model.one.item() == 1.0
    assert model.two.item() == pytest.approx(0.9)


def test_the_last_step_of_an_epoch_is_checked_at_its_end():
    _, optimization = make()
    step(optimization, 0, two=math.nan)
    with pytest.raises(TrainingError, match="step 0, cases case0: the two's loss"):
        optimization.finish()


def test_an_optimizer_that_cannot_leave_out_an_update_is_checked_at_once():
    model, optimization = make()
    optimization.optimizers["one"] = torch.optim.SGD([model.one], lr=0.1)
    with pytest.raises(TrainingError, match="step 0"):
        step(optimization, 0, one=math.nan)


class OmitsUpdates(torch.optim.Optimizer):
    """Stands for Adam in one kernel, which torch has only for real devices."""

    _step_supports_amp_scaling = True
    omitted = None

    def step(self):
        self.omitted = self.found_inf


@pytest.mark.parametrize(
    ("name", "updates"), [("pix2pix", 2), ("cyclegan", 2), ("regression", 1), ("lesion_regression", 1)]
)
def test_a_step_copies_only_the_numbers_of_its_check_from_the_device(name, updates):
    meta = torch.device("meta")
    model = tiny_model(name).to(meta)
    optimization = Optimization(model, meta, SCHEDULE)
    optimization.checks_later = True
    optimizers = {name: OmitsUpdates(one.param_groups, {}) for name, one in optimization.optimizers.items()}
    optimization.optimizers = optimizers
    batch = {name: torch.empty(2, 1, 16, 16, 16, device=meta) for name in ("CT", "PET")}
    batch["mask"] = batch["target_mask"] = batch["lesions"] = batch["CT"] > 0
    with CrossDeviceCopies() as copies:
        losses = optimization.step(batch, 0, ["a"])
    assert copies.to_device == []
    assert len(copies.from_device) == updates
    assert sum(size for (size,) in copies.from_device) == len(losses) + 2 * updates  # with a loss and a norm of each
    assert all(one.omitted.device == meta for one in optimizers.values())


def test_the_smoothness_of_a_displacement_is_computed_without_a_copy_to_the_device():
    with CrossDeviceCopies() as copies:
        smoothness(torch.empty(1, 3, 4, 4, 4, device="meta"), [1.0, 2.0, 3.0])
    assert copies.to_device == copies.from_device == []


def test_numbers_that_a_step_would_copy_to_the_device_are_recorded():
    with CrossDeviceCopies() as copies:
        torch.tensor([1.0, 2.0], device="meta")
        torch.empty(3, device="meta").new_tensor([1.0])
        torch.zeros(4).to("meta")
        torch.empty(5, device="meta").to("cpu", non_blocking=True)
        with pytest.raises(RuntimeError):
            torch.empty((), device="meta").item()
    assert copies.to_device == [(2,), (1,), (4,)]
    assert copies.from_device == [(5,)]
