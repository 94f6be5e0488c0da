"""How far a translated PET is from the real one."""

from __future__ import annotations

import torch


def masked_l1(fake_pet: torch.Tensor, real_pet: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference over the voxels of ``mask`` (bool); all tensors (N, 1, *space). 0 for an empty mask."""
    difference = (fake_pet.float() - real_pet.float()).abs() * mask
    return difference.sum() / mask.sum().clamp(min=1)
