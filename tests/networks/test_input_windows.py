"""Windows that networks add to their input."""

import copy

import pytest
import torch
from torch import nn

from ct2pet.networks import InputWindows, add_input_windows, count_input_windows
from ct2pet.planning.configuration import Normalization
from ct2pet.preprocessing.normalization import normalize, normalized_windows

PLANNED = Normalization(-928.0, 540.0, True, [-1.0, 1.0], windows=[[-150.0, 250.0], [400.0, 900.0]])


def hu(*values):
    return torch.tensor(values).reshape(1, 1, 1, 1, -1)


def test_an_added_channel_is_the_image_normalised_to_the_window():
    """Within 0.001 HU; beyond the planned window the values of its ends."""
    ct = torch.linspace(-1100, 1100, 2001).reshape(1, 1, 1, 1, -1)
    seen = InputWindows([(0, *ends) for ends in normalized_windows(PLANNED)])(normalize(ct, PLANNED))
    assert torch.equal(seen[:, :1], normalize(ct, PLANNED))
    for channel, (lower, upper) in enumerate(PLANNED.windows, start=1):
        expected = normalize(ct.clamp(-928, 540), Normalization(lower, upper, True, [-1.0, 1.0]))
        torch.testing.assert_close(seen[:, channel : channel + 1], expected, rtol=0, atol=0.001 * 2 / (upper - lower))


def test_the_gradient_of_an_added_channel_reaches_the_image_inside_the_window_alone():
    ct = normalize(hu(-300.0, -100.0, 40.0, 249.0, 300.0), PLANNED).requires_grad_()
    InputWindows([(0, *normalized_windows(PLANNED)[0])])(ct)[:, 1].sum().backward()
    slope = 1468 / 400  # a step of the planned window in steps of the narrow one
    torch.testing.assert_close(ct.grad.flatten(), torch.tensor([0.0, slope, slope, slope, 0.0]))


def test_windows_belong_to_their_channel():
    image = torch.stack([torch.linspace(-1, 1, 9), torch.linspace(1, -1, 9)])[None, :, None]
    seen = InputWindows([(1, -0.5, 0.5)])(image)
    torch.testing.assert_close(seen[:, 2], (2 * image[:, 1]).clamp(-1, 1))


def test_a_network_and_its_copy_add_windows_and_keep_the_names_of_weights():
    plain = nn.Sequential(nn.Conv3d(2, 1, 1))
    names = list(plain.state_dict())
    network = copy.deepcopy(add_input_windows(plain, [(0, -0.5, 0.5)]))
    assert list(network.state_dict()) == names
    assert count_input_windows(network) == 1
    image = torch.rand(1, 1, 2, 2, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    expected = network[0](torch.cat([image, 2 * image], dim=1))
    torch.testing.assert_close(network(image), expected)


def test_without_windows_a_network_is_unchanged():
    network = add_input_windows(nn.Conv3d(1, 1, 1), [])
    image = torch.ones(1, 1, 2, 2, 2)
    assert torch.equal(network(image), nn.functional.conv3d(image, network.weight, network.bias))
    assert count_input_windows(network) == 0


@pytest.mark.parametrize("dimensions", [2, 3])
def test_slices_and_patches_have_windows(dimensions):
    seen = InputWindows([(0, -0.5, 0.5)])(torch.full((2, 1, *[4] * dimensions), 0.25))
    assert seen.shape == (2, 2, *[4] * dimensions)
    assert (seen[:, 1] == 0.5).all()
