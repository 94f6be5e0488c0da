"""The generator and the critic of images of a class."""

import pytest
import torch

from ct2pet.errors import PlansError
from ct2pet.networks import build_network
from ct2pet.networks.medscangan import with_spectral_norm
from ct2pet.planning.network_size import count
from ct2pet.planning.networks import NetworkSize, plan_network
from ct2pet.planning.topology import unet_topology


def build(role, patch, channels):
    size = NetworkSize(patch, unet_topology(patch, [1.0, 1.0], 5), 4, 16)
    torch.manual_seed(0)
    plan = plan_network(role, size)
    return plan, build_network(plan, *channels)


@pytest.mark.parametrize("patch", [[16, 16], [28, 20]])
def test_the_class_and_the_noise_change_the_image(patch):
    _, generator = build("class_generator", patch, (2, 2))
    generator.eval()
    noise = torch.randn(1, 256).repeat(2, 1)
    benign, malignant = generator(noise, torch.tensor([0, 1]))
    assert benign.shape == (2, *patch)
    assert not torch.allclose(benign, malignant)
    assert not torch.allclose(generator(torch.randn(1, 256), torch.tensor([0]))[0], benign)


def test_the_score_of_an_image_does_not_depend_on_the_others():
    _, critic = build("class_critic", [16, 16], (2, 3))
    critic.eval()
    images = torch.randn(4, 2, 16, 16)
    scores, logits = critic(images)
    assert (scores.shape, logits.shape) == ((4,), (4, 3))
    torch.testing.assert_close(critic(images[:1])[0], scores[:1])
    torch.testing.assert_close(critic(images[:1])[1], logits[:1])


@pytest.mark.numerics
def test_spectral_norm_bounds_every_layer_of_the_critic():
    critic = with_spectral_norm(build("class_critic", [16, 16], (1, 2))[1])
    for module in critic.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.weight.data = 50 * module.weight.data
    for _ in range(50):
        critic(torch.randn(1, 1, 16, 16))
    critic.eval()
    layers = [module for module in critic.modules() if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)]
    norms = [float(torch.linalg.matrix_norm(layer.weight.flatten(1).detach(), 2)) for layer in layers]
    assert norms == pytest.approx([1.0] * len(layers), rel=0.05)


@pytest.mark.parametrize(("role", "channels"), [("class_generator", (2, 1)), ("class_critic", (2, 3))])
def test_the_planner_counts_their_parameters(role, channels):
    plan, network = build(role, [28, 20], channels)
    parameters, _ = count(plan.network_class, plan.arguments, [28, 20], *channels)
    assert parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("role", "channels"), [("class_generator", (2, 1)), ("class_critic", (2, 3))])
def test_the_planner_counts_what_autograd_keeps(role, channels):
    plan, network = build(role, [64, 64], channels)
    kept = {}
    inputs = (
        (torch.randn(4, 256), torch.tensor([0, 1, 0, 1])) if role == "class_generator" else (torch.randn(4, 2, 64, 64),)
    )

    def keep(tensor):
        if tensor.ndim == 4 and len(tensor) == 4 and tensor.shape[-1] >= 4:  # maps of the four samples
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(*inputs)
    found = sum(tensor.numel() for tensor in kept.values()) / 4
    assert count(plan.network_class, plan.arguments, [64, 64], *channels)[1] == pytest.approx(found, rel=0.1)


def test_a_patch_that_the_strides_do_not_divide_is_refused():
    plan, _ = build("class_generator", [16, 16], (2, 1))
    plan.arguments["patch_size"] = [18, 16]
    with pytest.raises(PlansError, match="do not divide"):
        build_network(plan, 2, 1)
