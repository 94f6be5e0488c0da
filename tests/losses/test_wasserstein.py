"""The costs of a Wasserstein GAN: known values, and gradients by hand."""

import pytest
import torch

from ct2pet.losses.wasserstein import critic_cost, gradient_penalty


def batch(seed):
    return torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("length", [0.25, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_known(length):
    """Its gradient is its weights everywhere."""
    weights = batch(0)[0]
    weights = (weights * length / weights.norm()).requires_grad_(True)
    penalty = gradient_penalty(lambda x: (weights * x).sum(dim=(1, 2, 3)), batch(1), batch(2), torch.rand(3))
    assert penalty.item() == pytest.approx((length - 1) ** 2, abs=1e-6)
    penalty.backward()  # d/dw (|w| - 1)² = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(weights.grad, 2 * (length - 1) * weights.detach() / length, atol=1e-5, rtol=1e-4)


def test_the_penalty_is_taken_at_the_points_between_real_and_fake():
    """Of the critic |x|² / 2 the gradient is x itself."""
    real, fake, shares = batch(1), batch(2), torch.tensor([0.0, 0.3, 1.0])
    points = [share * r + (1 - share) * f for share, r, f in zip(shares, real, fake)]
    expected = sum((float(point.norm()) - 1) ** 2 for point in points) / 3
    found = gradient_penalty(lambda x: x.square().sum(dim=(1, 2, 3)) / 2, real, fake, shares)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_the_critic_is_paid_for_real_above_fake():
    assert float(critic_cost(torch.tensor([3.0, 1.0]), torch.tensor([0.5, -0.5]))) == pytest.approx(-2.0)
