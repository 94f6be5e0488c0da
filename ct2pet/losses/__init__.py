"""Tensors in, scalar out."""

from ct2pet.losses.adversarial import AdversarialLoss
from ct2pet.losses.lesions import lesion_cross_entropy
from ct2pet.losses.reconstruction import masked_l1, masked_l2
from ct2pet.losses.smoothness import smoothness

__all__ = ["AdversarialLoss", "lesion_cross_entropy", "masked_l1", "masked_l2", "smoothness"]
