from dataclasses import replace

import pytest
import torch
from tiny import CT_WINDOW, FIELDS, tiny_configuration
from tiny_models import random_weights, tiny_model

from ct2pet.errors import PlansError
from ct2pet.models.base import Model, frozen
from ct2pet.networks import count_input_windows
from ct2pet.planning.requirements import INPUTS, TARGETS, FieldNeeds, NetworkNeed, Requirements


class Layer(Model):
    """One linear layer, without a planned network."""

    requirements = Requirements()
    inference_networks = ("layer",)

    def build(self, configuration, fields):
        self.layer = torch.nn.Linear(4, 4)
        self.critic = torch.nn.Linear(4, 4)

    def optimizers(self):
        return {}

    def training_step(self, batch, progress):
        yield from ()

    monitor = "error"

    def validation_step(self, batch):
        return {}


WINDOWED = tiny_configuration(
    normalization={**tiny_configuration().normalization, "CT": replace(CT_WINDOW, windows=[[-150.0, 250.0]])}
)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "reggan", "regression", "regc2p"])
def test_networks_have_the_channels_of_windows_that_the_memory_estimate_counts(name):
    """A window is a channel of the generator of the first stage, and of no other network."""
    windows = {}
    for stage, model in tiny_model(name, WINDOWED).stages.items():
        for network, need in model.requirements.networks.items():
            built = getattr(model, network)
            first = next(layer for layer in built.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Conv3d))
            assert first.in_channels == need.in_channels(FIELDS, WINDOWED, model.requirements.dimensions)
            windows[stage, network] = count_input_windows(built)
    with_window = next(iter(windows))
    assert windows == {**dict.fromkeys(windows, 0), with_window: 1}
    assert with_window[1] == "generator"


def test_cyclegans_cycle_from_pet_reaches_the_backward_generator_through_the_window_alone():
    model = tiny_model("cyclegan", WINDOWED)
    random_weights(model)
    first = next(layer for layer in model.generator.modules() if isinstance(layer, torch.nn.Conv3d))
    with torch.no_grad():
        first.weight[:, 0] = 0
    fake_ct = 0.1 * model.backward_generator(torch.rand(1, 1, 16, 16, 16)).tanh()
    model.generator(fake_ct).square().mean().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.backward_generator.parameters() if weight.ndim > 1)


def test_frozen_lets_gradients_through_but_not_into_the_network():
    network = torch.nn.Linear(2, 1)
    network.bias.requires_grad_(False)
    image = torch.ones(1, 2, requires_grad=True)
    with frozen(network):
        network(image).sum().backward()
    assert network.weight.grad is None
    torch.testing.assert_close(image.grad, network.weight.detach())
    assert network.weight.requires_grad
    assert not network.bias.requires_grad, "what was frozen before stays frozen"


def test_frozen_ends_with_the_block_also_after_an_error():
    network = torch.nn.Linear(2, 1)
    with pytest.raises(ValueError, match="in the block"), frozen(network):
        raise ValueError("in the block")
    assert network.weight.requires_grad


def test_full_precision_computes_in_float32_inside_autocast():
    """Exactly as without autocast, gradients of gradients included, which a gradient penalty needs."""
    torch.manual_seed(0)
    model = Layer(tiny_configuration(), FIELDS)
    image = torch.rand(3, 4, requires_grad=True)

    def penalty():
        answer = model.layer(image).sin()
        (slope,) = torch.autograd.grad(answer.sum(), image, create_graph=True)
        return answer.dtype, torch.autograd.grad(slope.square().sum(), model.layer.weight)[0]

    dtype, expected = penalty()
    assert dtype is torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert model.layer(image).dtype is torch.bfloat16
        rounded, _ = penalty()
        with model.full_precision():
            exact, found = penalty()
        assert model.layer(image).dtype is torch.bfloat16  # as before, after the block
    assert (rounded, exact) == (torch.bfloat16, torch.float32)
    assert torch.equal(found, expected)


def test_weights_of_training_networks_are_not_used_for_inference():
    model = Layer(tiny_configuration(), FIELDS)
    used = {name for name in model.state_dict() if model.used_for_inference(name)}
    assert used == {"layer.weight", "layer.bias"}


def test_a_method_in_2d_gets_patches_without_the_axis_z_and_nothing_else_changes():
    flat = tiny_model("regc2p").stages["slices"]
    patches = torch.rand(2, 1, 1, 16, 16)
    assert torch.equal(flat.squeezed(patches), patches[:, :, 0])
    assert flat.squeezed(torch.tensor([3, 4])).tolist() == [3, 4]  # conditions have no axes
    solid = tiny_model("pix2pix")
    assert torch.equal(solid.squeezed(patches), patches)


class Channels(Layer):
    """A network that sees all inputs and targets."""

    requirements = Requirements(
        fields=FieldNeeds(image_targets=(1, 2)),
        networks={"both": NetworkNeed("generator", inputs=(INPUTS, TARGETS), outputs=(TARGETS,))},
    )

    def build(self, configuration, fields):
        self.both = self.network("both")


def test_a_network_has_the_channels_that_the_fields_give_it():
    model = Channels(tiny_configuration(), FIELDS)
    assert model.both(torch.rand(1, 2, 16, 16, 16)).shape == (1, 1, 16, 16, 16)
    with pytest.raises(PlansError, match="no network for the role 'critic'; known are: generator, discriminator"):
        model.planned.network("critic")
