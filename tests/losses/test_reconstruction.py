import pytest
import torch

from ct2pet.losses import masked_l1, masked_l2


def test_only_voxels_of_the_mask_count():
    fake = torch.tensor([1.0, 2.0, 100.0]).view(1, 1, 1, 1, 3).requires_grad_()
    real = torch.tensor([0.0, 4.0, 0.0]).view(1, 1, 1, 1, 3)
    mask = torch.tensor([True, True, False]).view(1, 1, 1, 1, 3)
    loss = masked_l1(fake, real, mask)
    assert loss.item() == pytest.approx((1 + 2) / 2)
    loss.backward()
    assert fake.grad.flatten().tolist() == [0.5, -0.5, 0.0]


def test_the_squared_difference_by_hand():
    fake = torch.tensor([1.0, 2.0, 100.0]).view(1, 1, 1, 1, 3).requires_grad_()
    real = torch.tensor([0.0, 5.0, 0.0]).view(1, 1, 1, 1, 3)
    mask = torch.tensor([True, True, False]).view(1, 1, 1, 1, 3)
    loss = masked_l2(fake, real, mask)
    assert loss.item() == pytest.approx((1 + 9) / 2)
    loss.backward()
    assert fake.grad.flatten().tolist() == [1.0, -3.0, 0.0]  # an error three times as large pulls three times as hard


def test_half_precision_is_squared_in_float32():
    fake = torch.full((1, 1, 1, 1, 1), 300.0, dtype=torch.float16)
    assert masked_l2(fake, torch.zeros_like(fake), fake > 0).item() == 90000


@pytest.mark.parametrize("loss", [masked_l1, masked_l2])
def test_an_empty_mask_costs_nothing(loss):
    zeros = torch.zeros(1, 1, 2, 2, 2)
    assert loss(zeros + 1, zeros, zeros > 0).item() == 0


@pytest.mark.parametrize("loss", [masked_l1, masked_l2])
def test_a_batch_costs_the_mean_of_its_samples_however_many_voxels_count_in_each(loss):
    random = torch.Generator().manual_seed(0)
    fake, real = (torch.rand(3, 1, 4, 4, 4, generator=random) for _ in range(2))
    mask = torch.rand(3, 1, 4, 4, 4, generator=random) < torch.tensor([0.9, 0.1, 0.0]).view(3, 1, 1, 1, 1)
    alone = [loss(*(tensor[i : i + 1] for tensor in (fake, real, mask))) for i in range(3)]
    assert alone[0] > 0 < alone[1]
    torch.testing.assert_close(loss(fake, real, mask), torch.stack(alone).mean())
