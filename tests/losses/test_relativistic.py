"""The costs of R3GAN against closed forms."""

import math

import torch

from ct2pet.losses.relativistic import relativistic_cost, zero_centred_penalty


def test_equal_scores_cost_log_2_and_larger_differences_less():
    scores = torch.tensor([-1.0, 0.5, 3.0])
    torch.testing.assert_close(relativistic_cost(scores, scores), torch.tensor(math.log(2)))
    torch.testing.assert_close(relativistic_cost(scores + 2, scores), torch.tensor(math.log1p(math.exp(-2))))
    assert relativistic_cost(scores, scores + 2) > math.log(2)


def test_only_differences_of_scores_count():
    real, fake = torch.tensor([0.3, -2.0]), torch.tensor([1.0, 0.2])
    torch.testing.assert_close(relativistic_cost(real + 5, fake + 5), relativistic_cost(real, fake))


def test_the_penalty_of_a_linear_critic_is_the_square_of_its_weights():
    weights = torch.randn(2, 4, 4)
    images = torch.randn(5, 2, 4, 4)
    scores, penalty = zero_centred_penalty(lambda own: (own * weights).sum(dim=(1, 2, 3)) + 7, images)
    torch.testing.assert_close(scores, (images * weights).sum(dim=(1, 2, 3)) + 7)
    torch.testing.assert_close(penalty, weights.square().sum())


def test_the_penalty_of_a_square_grows_with_the_image_and_trains_the_critic():
    factor = torch.tensor(3.0, requires_grad=True)
    images = torch.tensor([[[[1.0, 2.0]]], [[[0.0, 0.0]]]])
    _, penalty = zero_centred_penalty(lambda own: factor * own.square().sum(dim=(1, 2, 3)) / 2, images)
    torch.testing.assert_close(penalty, torch.tensor(9 * 5 / 2))  # (3 x)² of the first image, 0 of the second
    penalty.backward()
    torch.testing.assert_close(factor.grad, torch.tensor(2 * 3 * 5 / 2))
