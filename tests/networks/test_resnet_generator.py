import pytest
import torch
from torch import nn

from ct2pet.networks.resnet_generator import ResNetGenerator


def generator(dimensions, blocks=2):
    strides = [[1] * dimensions, *[[2] * dimensions] * 2]
    torch.manual_seed(0)
    return ResNetGenerator(2, 3, [4, 8, 16], strides, blocks)


@pytest.mark.parametrize("space", [(16, 12), (8, 12, 16)], ids=["2D", "3D"])
def test_the_output_has_the_grid_of_the_input(space):
    network = generator(len(space)).double()
    image = torch.randn(1, 2, *space, dtype=torch.float64)
    assert network(image).shape == (1, 3, *space)


def test_a_shift_of_the_input_is_a_shift_of_the_output():
    """By the stride of the whole network (4 voxels), away from the rim, and without norms, which see all voxels."""
    network = generator(2, blocks=1).double()
    for norm in [m for m in network.modules() if isinstance(m, nn.InstanceNorm2d)]:
        norm.forward = lambda image: image
    image = torch.randn(1, 2, 96, 96, dtype=torch.float64)
    moved = image.roll((4, 4), (2, 3))
    inner = (..., slice(40, 56), slice(40, 56))
    torch.testing.assert_close(network(moved)[inner], network(image).roll((4, 4), (2, 3))[inner])


def test_without_its_residual_paths_it_is_the_outer_network_alone():
    """Blocks add to what they get: with their last norms at zero any number of them changes nothing."""
    one, three = generator(3, 1), generator(3, 3)
    for network in (one, three):
        for block in (m for m in network.layers if hasattr(m, "path")):
            block.path = nn.Sequential(block.path, _Zero())
    outer = [m for m in one.layers if not hasattr(m, "path")]
    for mine, other in zip(outer, [m for m in three.layers if not hasattr(m, "path")]):
        other.load_state_dict(mine.state_dict())
    image = torch.randn(1, 2, 8, 8, 8)
    torch.testing.assert_close(one(image), three(image))


class _Zero(nn.Module):
    def forward(self, image):
        return 0 * image
