"""How well lesions are detected."""

from __future__ import annotations

import torch
from torch.nn import functional

from ct2pet.losses.reconstruction import _masked_mean


def lesion_cross_entropy(
    logit: torch.Tensor, lesion: torch.Tensor, mask: torch.Tensor, lesion_weight: float
) -> torch.Tensor:
    """The binary cross-entropy of the probability sigmoid(``logit``) of a lesion, in which voxels of ``lesion`` count
    ``lesion_weight`` times; the mean over the voxels of ``mask`` as in masked_l1. ``lesion`` and ``mask`` are bool; all
    tensors (N, 1, *space)."""
    weight = logit.new_full((), lesion_weight)  # filled on the device: a copy would wait for a GPU
    cost = functional.binary_cross_entropy_with_logits(logit, lesion.float(), reduction="none", pos_weight=weight)
    return _masked_mean(cost, mask)
