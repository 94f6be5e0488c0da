import pytest
import torch

from ct2pet.losses import smoothness


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_shift_costs_nothing(dimensions):
    shape = [5, 6, 7][:dimensions]
    field = torch.tensor([3.0, -2.0, 9.0])[:dimensions].view(1, -1, *[1] * dimensions).expand(2, -1, *shape)
    assert smoothness(field) == 0


def test_the_smoothness_loss_is_the_mean_squared_gradient():
    """The Y component rises by 2 with every row and the X component by 1 with every column: (2^2 + 1^2) / 2."""
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(4.0), indexing="ij")
    assert smoothness(torch.stack([2 * y, x])[None]).item() == pytest.approx(2.5)


def test_a_field_in_millimetres_costs_the_same_on_every_grid():
    """A stretch of 10% along Z, on cubes and on voxels twice as long."""
    costs = []
    for spacing, length in (((2.0, 2.0, 2.0), 12), ((4.0, 2.0, 2.0), 6)):
        field = torch.zeros(1, 3, length, 4, 4)
        field[:, 0] = 0.1 * torch.arange(float(length)).view(-1, 1, 1)
        costs.append(smoothness(field, spacing).item())
    assert costs[0] == pytest.approx(costs[1])
    assert costs[0] == pytest.approx(0.01 / 3)


def test_an_axis_of_one_voxel_has_no_gradient():
    assert torch.isfinite(smoothness(torch.randn(1, 3, 1, 4, 4)))
