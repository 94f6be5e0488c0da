"""The costs of a Wasserstein GAN with gradient penalty (Gulrajani et al., NeurIPS 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch

Critic = Callable[[torch.Tensor], torch.Tensor]


def critic_cost(real_scores: torch.Tensor, fake_scores: torch.Tensor) -> torch.Tensor:
    """What a critic minimises: minus its estimate of the Wasserstein distance. Scores (N,)."""
    return fake_scores.mean() - real_scores.mean()


def gradient_penalty(critic: Critic, real: torch.Tensor, fake: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The mean of (norm of the gradient of a score - 1)² at points between real and fake images.

    ``critic`` maps images (N, C, *space) to scores (N,), each of one image alone (no batch norm). ``shares`` (N,), 0 to
    1: how much of each point is the real image. Everything must be float32, and the call outside autocast: second
    derivatives overflow in half precision. Times 10 it is the paper's term.
    """
    weights = shares.view(-1, *[1] * (real.ndim - 1))
    points = (weights * real + (1 - weights) * fake).detach().requires_grad_(True)
    (gradients,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()
