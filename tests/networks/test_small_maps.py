import copy

import pytest
import torch
from tiny_models import tiny_model
from torch import nn

from ct2pet.networks import guard_small_maps
from ct2pet.networks.patchgan import PatchGAN

TINY = [
    (nn.Conv3d(64, 64, 3, padding=1), (2, 2, 2)),
    (nn.Conv3d(64, 64, 3, padding=1), (2, 8, 8)),
    (nn.Conv3d(64, 64, 4, padding=1), (3, 3, 3)),
    (nn.Conv3d(8, 8, 2, padding=2, dilation=4), (4, 4, 4)),
    (nn.ConvTranspose3d(64, 64, 3, padding=1), (2, 2, 2)),
]
ROOMY = [
    (nn.Conv3d(8, 8, 3, padding=1), (3, 3, 3)),
    (nn.Conv3d(8, 8, 3, stride=2, padding=1), (2, 2, 2)),
    (nn.Conv3d(8, 8, (1, 3, 3), padding=1), (2, 4, 4)),
    (nn.ConvTranspose3d(8, 8, 2, stride=2), (1, 1, 1)),
    (nn.Conv2d(8, 8, 3, padding=1), (2, 2)),
]


def gradient(layer, image, precision):
    """The weights' gradient, and the type that the layer answers in."""
    layer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision is torch.bfloat16):
        scores = layer(image)
    scores.float().square().sum().backward()
    return layer.weight.grad.clone(), scores.dtype


def layer_and_image(case):
    torch.manual_seed(0)
    layer = copy.deepcopy(case[0])
    return layer, torch.randn(1, layer.in_channels, *case[1])


@pytest.mark.parametrize("case", TINY)
def test_a_kernel_larger_than_its_map_computes_in_float32_and_its_gradient_is_right(case):
    layer, image = layer_and_image(case)
    expected, _ = gradient(layer, image, torch.float32)
    found, dtype = gradient(guard_small_maps(layer), image, torch.bfloat16)
    assert dtype is torch.float32
    torch.testing.assert_close(found, expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(image.bfloat16()).dtype is torch.float32  # what comes from another layer


@pytest.mark.parametrize("case", ROOMY)
def test_all_other_layers_stay_as_fast_as_they_are(case):
    layer, image = layer_and_image(case)
    _, dtype = gradient(guard_small_maps(layer), image, torch.bfloat16)
    assert dtype is torch.bfloat16


def test_the_weights_and_their_names_stay():
    network = PatchGAN(2, 8, 3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    after = guard_small_maps(network).state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())
    assert isinstance(network.layers[0], nn.Conv3d)


def test_three_strided_layers_at_32_voxels_have_gradients_in_bfloat16_although_their_last_maps_are_tiny():
    torch.manual_seed(0)
    network = PatchGAN(2, 64, 3)
    image = torch.rand(1, 2, 32, 32, 32)
    expected = gradients(network, image, enabled=False)
    for name, found in gradients(guard_small_maps(network), image, enabled=True).items():
        assert (found - expected[name]).norm() < 0.2 * expected[name].norm(), name  # 0.67 in the last one, unguarded


def gradients(network, image, enabled):
    network.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
        scores = network(image)
    scores.float().square().mean().backward()
    return {name: parameter.grad.clone() for name, parameter in network.named_parameters()}


def test_every_method_guards_its_networks():
    model = tiny_model("pix2pix")
    discriminator = [m for m in model.discriminator.modules() if isinstance(m, nn.Conv3d)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert discriminator[-1](torch.rand(1, 16, 3, 3, 3)).dtype is torch.float32
