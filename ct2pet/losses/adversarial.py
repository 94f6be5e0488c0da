"""What a discriminator's scores cost."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ct2pet.errors import PlansError


class AdversarialLoss(nn.Module):
    """Mean cost of scores that should say real or fake.

    ``lsgan``: squared distance from 1 or 0 (Mao et al., ICCV 2017). ``bce``: binary cross-entropy of the sigmoid
    (Goodfellow et al., NeurIPS 2014, with the non-saturating cost for the generator).
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        if kind not in ("lsgan", "bce"):
            raise PlansError(f"the adversarial loss {kind!r} does not exist; there are lsgan and bce")
        self.kind = kind

    def forward(self, scores: torch.Tensor, real: bool) -> torch.Tensor:
        """Scores (any shape) to a scalar, in float32 also under autocast."""
        scores = scores.float()
        target = torch.full_like(scores, float(real))
        if self.kind == "lsgan":
            return functional.mse_loss(scores, target)
        return functional.binary_cross_entropy_with_logits(scores, target)
