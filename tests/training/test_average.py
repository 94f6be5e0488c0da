import pytest
import torch
from tiny import FIELDS, tiny_configuration
from tiny_models import tiny_model

from ct2pet.errors import CheckpointError, PlansError
from ct2pet.models.base import ImageTranslation
from ct2pet.models.cyclegan import CycleGAN
from ct2pet.models.pix2pix import Pix2Pix
from ct2pet.planning.requirements import Requirements
from ct2pet.training.average import WeightAverage


class Normed(ImageTranslation):
    """A translator with a weight, running statistics and a counter, and a critic that only trains."""

    requirements = Requirements()
    inference_networks = ("translator",)

    def build(self, configuration, fields):
        self.translator = torch.nn.BatchNorm1d(2)
        self.critic = torch.nn.Linear(1, 1)

    def optimizers(self):
        return {}

    def training_step(self, batch, progress):
        yield from ()

    def translate(self, inputs):
        return self.translator(inputs)


def set_to(model, value):
    with torch.no_grad():
        model.translator.weight.fill_(value)
        model.translator.running_mean.fill_(value)
        model.translator.num_batches_tracked.fill_(int(value))
        model.critic.weight.fill_(value)


def copy_of(weights):
    return {name: tensor.clone() for name, tensor in weights.items()}


def test_the_moving_average_equals_its_recursion():
    model = Normed(tiny_configuration(), FIELDS)
    set_to(model, 1.0)
    average = WeightAverage(model, decay=0.15)
    for step, value in enumerate((2.0, 4.0, 8.0)):
        set_to(model, value)
        average.update(step)
    first = 0.1 * 1 + 0.9 * 2  # the decay begins at 1/10
    second = 0.15 * first + 0.85 * 4  # 2/11 is above the wanted decay
    expected = 0.15 * second + 0.85 * 8
    assert average.averages["translator.weight"].tolist() == pytest.approx([expected] * 2)
    assert average.averages["translator.running_mean"].tolist() == pytest.approx([expected] * 2)
    assert average.averages["translator.num_batches_tracked"].item() == 8  # what cannot be averaged is the newest
    assert "critic.weight" not in average.averages


def test_the_decay_starts_small_and_grows_to_its_value():
    average = WeightAverage(Normed(tiny_configuration(), FIELDS), decay=0.999)
    decays = [average.decay_at(step) for step in (0, 8, 90, 100_000)]
    assert decays == pytest.approx([0.1, 0.5, 0.91, 0.999])


def test_averaged_weights_are_used_inside_the_block_and_restored_after_it():
    model = Normed(tiny_configuration(), FIELDS)
    average = WeightAverage(model, decay=0.5)
    set_to(model, 0.1)
    average.update(5)
    wanted, kept, averages = map(copy_of, (average.weights(), model.state_dict(), average.averages))
    parameter = model.translator.weight
    with average.in_place():
        assert torch.equal(model.translator.weight, wanted["translator.weight"])
        assert torch.equal(model.critic.weight, kept["critic.weight"])
    assert model.translator.weight is parameter  # which the optimizer knows
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, averages[name]) for name, tensor in average.averages.items())


def test_without_a_decay_nothing_is_averaged():
    model = Normed(tiny_configuration(), FIELDS)
    average = WeightAverage(model, decay=0.0)
    set_to(model, 3.0)
    average.update(0)
    with average.in_place():
        assert model.translator.weight.tolist() == [3.0, 3.0]
    assert average.averages == {}
    assert average.weights().keys() == model.state_dict().keys()
    assert average.weights()["translator.weight"].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("kind", [Pix2Pix, CycleGAN])
def test_only_the_generator_is_averaged_and_each_weight_once(kind):
    model = kind(tiny_configuration(), FIELDS)
    average = WeightAverage(model, 0.5)
    assert average.averages.keys() == {f"generator.{name}" for name, _ in model.generator.named_parameters()}
    kept = copy_of(model.state_dict())
    assert len(kept) > len(list(model.parameters()))  # a U-Net's decoder refers to its encoder: two names, one weight
    for tensor in model.parameters():
        tensor.data += 1
    average.update(8)
    wanted = {name: tensor + (0.5 if name.startswith("generator.") else 1) for name, tensor in kept.items()}
    torch.testing.assert_close(copy_of(average.weights()), wanted)
    with average.in_place():
        torch.testing.assert_close(copy_of(model.state_dict()), wanted)
    torch.testing.assert_close(copy_of(model.state_dict()), {name: tensor + 1 for name, tensor in kept.items()})


def test_only_predicting_networks_of_a_staged_method_are_averaged():
    """Of both stages the generator; not the registration, the discriminator or the mean field."""
    model = tiny_model("regc2p")
    average = WeightAverage(model, 0.5)
    generators = {f"parts.{name}.generator": stage.generator for name, stage in model.stages.items()}
    weights = {f"{start}.{name}" for start, network in generators.items() for name, _ in network.named_parameters()}
    assert average.averages.keys() == weights
    kept = copy_of(model.state_dict())
    for tensor in model.parts["refinement"].parameters():
        tensor.data += 1
    average.update(8)
    expected = {
        name: tensor + (0 if name.startswith("parts.slices.") else 0.5 if ".generator." in name else 1)
        for name, tensor in kept.items()
        if not name.endswith("mean_field")
    }
    found = copy_of(average.weights())
    torch.testing.assert_close({name: found[name] for name in expected}, expected)
    slices = [name for name in expected if name.startswith("parts.slices.")]
    assert all(torch.equal(found[name], kept[name]) for name in slices)  # what is not trained keeps every bit


def test_averages_of_other_weights_are_not_taken():
    one, other = (WeightAverage(Normed(tiny_configuration(), FIELDS), decay) for decay in (0.9, 0.0))
    with pytest.raises(CheckpointError, match="ema_decay"):
        one.load(other.averages)


@pytest.mark.parametrize("decay", [1.0, -0.1])
def test_a_decay_that_averages_nothing_or_everything_is_refused(decay):
    with pytest.raises(PlansError, match="ema_decay"):
        tiny_model("pix2pix", ema_decay=decay)
