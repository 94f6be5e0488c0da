import pytest
import torch

from ct2pet.networks.patchgan import PatchGAN


def receptive_field(num_strided_layers):
    """Of 4-wide kernels, by the usual recursion from the last layer to the first."""
    field = 1
    for stride in [1, 1] + [2] * num_strided_layers:
        field = (field - 1) * stride + 4
    return field


@pytest.mark.parametrize("num_strided_layers", [1, 2, 3])
def test_a_score_depends_on_exactly_its_receptive_field(num_strided_layers):
    torch.manual_seed(0)
    network = PatchGAN(1, 2, num_strided_layers, dimensions=2)
    for module in network.layers:  # instance norm would let every voxel reach every score
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda x: x
    image = torch.randn(1, 1, 128, 128, requires_grad=True)
    scores = network(image)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    seen = image.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert int(seen[-1] - seen[0]) + 1 == receptive_field(num_strided_layers)


def test_two_strided_layers_see_34_pixels_and_three_see_70_as_in_the_paper():
    assert [receptive_field(n) for n in (2, 3)] == [34, 70]


def test_features_double_up_to_eight_times_the_base():
    network = PatchGAN(2, 4, 5, dimensions=2)
    widths = [module.out_channels for module in network.layers if isinstance(module, torch.nn.Conv2d)]
    assert widths == [4, 8, 16, 32, 32, 32, 1]


def test_one_pass_over_two_batches_scores_them_as_two_passes():
    torch.manual_seed(0)
    network = PatchGAN(2, 4, 2)
    real, fake = torch.randn(2, 2, 2, 20, 20, 20).unbind()
    together = network(torch.cat([real, fake]))
    torch.testing.assert_close(together, torch.cat([network(real), network(fake)]))
