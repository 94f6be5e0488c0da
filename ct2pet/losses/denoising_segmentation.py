"""Losses of a denoised image and of organ labels over all resolutions of deep supervision, as in nnU-Net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from ct2pet import distributed
from ct2pet.losses.reconstruction import masked_l1

_SMOOTH = 1e-5


def deep_supervision_weights(num_scales: int) -> list[float]:
    """1, 1/2, 1/4, ... and 0 for the lowest resolution, which has too few voxels, divided by their sum (nnU-Net)."""
    weights = [1 / 2**scale for scale in range(num_scales)]
    if num_scales > 1:
        weights[-1] = 0.0
    return [weight / sum(weights) for weight in weights]


def denoising_loss(predicted: Sequence[torch.Tensor], target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The weighted L1 distance inside ``mask`` at every resolution of ``predicted``, full resolution first; the target
    is averaged down. Images (N, 1, *space)."""
    total = target.new_zeros(())
    for weight, image in zip(deep_supervision_weights(len(predicted)), predicted):
        if weight > 0:
            real = averaged_to(target, image.shape[2:])
            inside = averaged_to(mask.float(), image.shape[2:]) >= 0.5
            total = total + weight * masked_l1(image, real, inside)
    return total


def organ_mean_loss(
    predicted: torch.Tensor, target: torch.Tensor, labels: torch.Tensor, num_classes: int, smallest: float
) -> torch.Tensor:
    """The relative error of the mean of each organ, averaged over the organs that occur, sample by sample: |mean of
    ``predicted`` - mean of ``target``| / mean of ``target``. Images (N, 1, *space), labels (N, 1, *space, integers, 0
    is the background). ``smallest``: the least denominator. 0 for a sample without organs.

    An L1 loss is least at the median of what the target may be, voxel by voxel, and gives no estimate of the mean of an
    organ, which is what quantification uses.
    """
    member = functional.one_hot(labels.flatten(1).long(), num_classes)[..., 1:].float()  # N, voxels, organs
    sizes = member.sum(1)
    difference, real = predicted.float() - target.float(), target.float()
    with torch.autocast(predicted.device.type, enabled=False):  # products in half precision round and overflow
        means = [(image.flatten(1)[:, None] @ member)[:, 0] / sizes.clamp(min=1) for image in (difference, real)]
    errors = means[0].abs() / means[1].clamp(min=smallest)
    occurs = sizes > 0
    return ((errors * occurs).sum(1) / occurs.sum(1).clamp(min=1)).mean()


def segmentation_loss(logits: Sequence[torch.Tensor], labels: torch.Tensor, rare_weight: float = 0.0) -> torch.Tensor:
    """Cross-entropy + soft Dice at every resolution of ``logits`` (N, classes, *space), full resolution first; labels
    (N, 1, *space, integers) come down by nearest neighbour. ``rare_weight``: see ``cross_entropy``."""
    total = logits[0].new_zeros((), dtype=torch.float32)
    for weight, scale in zip(deep_supervision_weights(len(logits)), logits):
        if weight > 0:
            truth = _nearest(labels, scale.shape[2:])
            total = total + weight * (cross_entropy(scale, truth, rare_weight) + soft_dice_loss(scale, truth))
    return total


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, rare_weight: float = 0.0) -> torch.Tensor:
    """Mean cross-entropy of the softmax of logits (N, classes, *space) in float32; labels (N, 1, *space).

    A voxel weighs (number of voxels of its class in the batch) ** -``rare_weight``: 0 is nnU-Net's, where all voxels
    weigh the same, and with 1 all classes do. The batch is that of all processes, whose mean the loss is.
    """
    truth = labels[:, 0].long()
    if rare_weight == 0:
        return functional.cross_entropy(logits.float(), truth)
    own = functional.one_hot(truth, logits.shape[1]).flatten(0, -2).sum(0).float()
    counts = own.clone()
    distributed.all_reduce_mean([counts])
    weight = (counts * distributed.world_size()).clamp(min=1) ** -rare_weight
    loss = functional.cross_entropy(logits.float(), truth, weight=weight)
    return loss * distributed.share_of_mean((weight * own).sum())


def soft_dice_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Minus the mean soft Dice of the classes that occur, without the background, sample by sample, in float32. Of
    several processes the mean of their losses is that of the whole batch.

    nnU-Net's MemoryEfficientSoftDiceLoss (do_bg=False, batch_dice=False) where all classes occur in every sample. In
    that loss a class that does not occur has a Dice of 1 as soon as its probability is 0 everywhere. In small patches
    most of 18 organs do not occur, and a network learns never to predict half of them (documentation/explanation/
    ldos.md).
    """
    probabilities = logits.float().softmax(1)[:, 1:].flatten(2)
    truth = functional.one_hot(labels[:, 0].long(), logits.shape[1]).movedim(-1, 1)[:, 1:].flatten(2)
    intersection = (probabilities * truth).sum(2)
    sizes = probabilities.sum(2) + truth.sum(2)
    dice = (2 * intersection + _SMOOTH) / (sizes + _SMOOTH).clamp(min=1e-8)
    occurs = truth.any(2)
    count = occurs.sum()
    return -(dice * occurs).sum() / count.clamp(min=1) * distributed.share_of_mean(count)


def averaged_to(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """An image (N, C, *space) averaged down to ``size``."""
    if tuple(image.shape[2:]) == tuple(size):
        return image
    pool: Any = {2: functional.adaptive_avg_pool2d, 3: functional.adaptive_avg_pool3d}[len(size)]
    return pool(image, tuple(size))


def _nearest(labels: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    if tuple(labels.shape[2:]) == tuple(size):
        return labels
    return functional.interpolate(labels.float(), tuple(size), mode="nearest-exact").to(labels.dtype)
