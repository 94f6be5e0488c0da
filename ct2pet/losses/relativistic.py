"""The costs of R3GAN (Huang et al., NeurIPS 2024): a relativistic GAN with penalties on real and on fake images."""

from __future__ import annotations

import torch
from torch.nn import functional

from ct2pet.losses.wasserstein import Critic


def relativistic_cost(higher: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """The mean of log(1 + exp(lower - higher)) of paired scores (N,): what a critic minimises with the real images as
    ``higher``, and a generator with its own (Jolicoeur-Martineau, 2018)."""
    return functional.softplus(lower - higher).mean()


def zero_centred_penalty(critic: Critic, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The scores (N,) of ``images`` (N, C, *space), and the mean squared norm of their gradients at the images: R1 of
    real images, R2 of fake ones (Mescheder et al., ICML 2018).

    ``critic`` as in ``wasserstein.gradient_penalty``: float32, outside autocast, each score of one image alone.
    """
    points = images.detach().requires_grad_(True)
    scores = critic(points)
    (gradients,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    return scores, gradients.flatten(1).square().sum(dim=1).mean()
