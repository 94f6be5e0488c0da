"""How far a translated PET is from the real one."""

from __future__ import annotations

import torch


def masked_l1(fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference over the voxels of ``mask`` (bool) of each sample, then the mean over the samples; all
    tensors (N, 1, *space). A sample with an empty mask counts as 0.

    So the loss of a batch is the mean of those of its parts, however it is split over processes or steps.
    """
    return _masked_mean((fake_pet.float() - real_pet.float()).abs(), mask)


def masked_l2(fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean squared difference, else as masked_l1."""
    return _masked_mean((fake_pet.float() - real_pet.float()).square(), mask)


def _masked_mean(cost: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    cost = cost * mask
    return (cost.flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)).mean()
