"""The generators and critics of DCGANs, one of each for each class."""

import math

import pytest
import torch

from ct2pet.errors import PlansError
from ct2pet.networks import build_network
from ct2pet.networks.dcgan import DCGANCritic, DCGANGenerator
from ct2pet.networks.medscangan import with_spectral_norm
from ct2pet.planning.network_size import count
from ct2pet.planning.networks import NetworkSize, plan_network
from ct2pet.planning.topology import unet_topology


def build(role, patch, channels):
    size = NetworkSize(patch, unet_topology(patch, [1.0, 1.0], 5), 16, 64)
    torch.manual_seed(0)
    plan = plan_network(role, size)
    return plan, build_network(plan, *channels)


@pytest.mark.parametrize("patch", [[16, 16], [28, 20]])
def test_each_image_comes_from_the_generator_of_its_class(patch):
    _, generator = build("dcgan_generator", patch, (3, 2))
    generator.eval()
    noise, classes = torch.randn(5, 256), torch.tensor([2, 0, 2, 1, 0])
    made = generator(noise, classes)
    assert made.shape == (5, 2, *patch)
    for index, label in enumerate(classes.tolist()):
        torch.testing.assert_close(made[index], generator.of_class[label](noise[[index]])[0], rtol=1e-4, atol=1e-6)


def test_images_of_one_class_train_no_other_generator_and_no_other_critic():
    _, generator = build("dcgan_generator", [16, 16], (2, 1))
    _, critic = build("dcgan_critic", [16, 16], (1, 2))
    classes = torch.tensor([1, 1, 1])
    critic(generator(torch.randn(3, 256), classes)).gather(1, classes[:, None]).sum().backward()
    for network in (generator, critic):
        touched = [any(p.grad is not None and bool(p.grad.any()) for p in own.parameters()) for own in network.of_class]
        assert touched == [False, True]


def test_the_score_of_an_image_does_not_depend_on_the_others():
    _, critic = build("dcgan_critic", [16, 16], (2, 3))
    critic.eval()
    images = torch.randn(4, 2, 16, 16)
    assert critic(images).shape == (4, 3)
    torch.testing.assert_close(critic(images[:1]), critic(images)[:1])


def test_the_critic_has_dropout_in_training_alone():
    _, critic = build("dcgan_critic", [16, 16], (1, 1))
    image = torch.randn(1, 1, 16, 16)
    assert not torch.equal(critic(image), critic(image))
    critic.eval()
    assert torch.equal(critic(image), critic(image))


def test_weights_begin_as_radford_et_al_say():
    generator = DCGANGenerator(1, 1, [32, 32], [64, 128], [[2, 2], [2, 2]])
    weights = [layer.weight for layer in generator.modules() if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert [tuple(weight.shape[2:]) for weight in weights] == [(4, 4), (4, 4)]
    assert float(weights[0].detach().std()) == pytest.approx(0.02, rel=0.05)


def test_spectral_norm_takes_all_layers_of_all_critics():
    critic = with_spectral_norm(build("dcgan_critic", [16, 16], (1, 2))[1])
    layers = [one for one in critic.modules() if isinstance(one, torch.nn.Conv2d | torch.nn.Linear)]
    assert layers
    assert all(torch.nn.utils.parametrize.is_parametrized(layer, "weight") for layer in layers)


@pytest.mark.parametrize(("role", "channels"), [("dcgan_generator", (2, 1)), ("dcgan_critic", (2, 3))])
def test_the_planner_counts_their_parameters(role, channels):
    plan, network = build(role, [28, 20], channels)
    parameters, _ = count(plan.network_class, plan.arguments, [28, 20], *channels)
    assert parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("role", "channels"), [("dcgan_generator", (2, 1)), ("dcgan_critic", (2, 3))])
def test_the_planner_counts_what_autograd_keeps(role, channels):
    plan, network = build(role, [64, 64], channels)
    kept = {}
    noise, classes = torch.randn(4, 256), torch.tensor([0, 1, 0, 1])

    def keep(tensor):
        if math.prod(tensor.shape[2:]) > 1 and tensor.ndim == 4 and len(tensor) in (2, 4):  # maps, not masks of dropout
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made = network(noise, classes) if role == "dcgan_generator" else network(torch.randn(4, 2, 64, 64))
    found = sum(tensor.numel() for tensor in kept.values()) / 4
    if role == "dcgan_generator":
        found += made[0].numel()  # which a loss saves
    assert count(plan.network_class, plan.arguments, [64, 64], *channels)[1] == pytest.approx(found, rel=0.1)


@pytest.mark.parametrize(("role", "channels"), [("dcgan_generator", (2, 1)), ("dcgan_critic", (1, 2))])
def test_a_patch_that_the_strides_do_not_divide_is_refused(role, channels):
    plan, _ = build(role, [16, 16], channels)
    plan.arguments["patch_size"] = [18, 16]
    with pytest.raises(PlansError, match="do not divide"):
        build_network(plan, *channels)


def test_strides_of_one_keep_the_size_of_an_axis():
    generator = DCGANGenerator(1, 1, [16, 8], [8, 8], [[2, 1], [2, 2]], latent_size=8)
    assert generator(torch.randn(2, 8), torch.zeros(2, dtype=torch.int64)).shape == (2, 1, 16, 8)
    critic = DCGANCritic(1, 2, [16, 8], [8, 8], [[2, 1], [2, 2]])
    assert critic(torch.randn(3, 1, 16, 8)).shape == (3, 2)
