"""Tensors in, scalar out."""

from ct2pet.losses.adversarial import AdversarialLoss
from ct2pet.losses.reconstruction import masked_l1, masked_l2

__all__ = ["AdversarialLoss", "masked_l1", "masked_l2"]
