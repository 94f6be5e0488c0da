"""Random changes of the values of input CTs, which differ between scanners, kernels and contrast phases.

As in nnU-Net (Isensee et al., Nat Methods 2021): blur, contrast, brightness and gamma, each of them decided alone.
PETs as inputs are not changed, because their values are what a target PET must have.
"""

from __future__ import annotations

import torch

from ct2pet.networks.warping import gaussian_smooth
from ct2pet.planning.configuration import Normalization, ValueChanges

_STREAM = 0x63747661  # separates these random numbers from the others of a seed


def changed_values(image: torch.Tensor, plan: ValueChanges, window: Normalization, seed: int) -> torch.Tensor:
    """A normalised CT (1, 1, *patch) with the changes that are drawn for ``seed``, not limited to ``window.range``."""
    lower, upper = window.range
    random = torch.Generator().manual_seed(seed ^ _STREAM)
    decisions, (blur, contrast, shift, gamma) = torch.rand(2, 4, generator=random).tolist()
    blurs, scales, shifts, bends = (number < plan.probability for number in decisions)

    if not any((blurs, scales, shifts, bends)):
        return image
    share = (image - lower) / (upper - lower)  # of the window
    if blurs:
        share = gaussian_smooth(share, [_between(plan.blur_voxels, blur)] * (share.ndim - 2))
    if scales:
        share = 0.5 + (share - 0.5) * _between(plan.contrast, contrast)
    if shifts:
        share = share + plan.shift * (2 * shift - 1)
    if bends:
        share = share.clamp(0, 1) ** _between(plan.gamma, gamma)
    return lower + (upper - lower) * share


def _between(ends: list[float], place: float) -> float:
    """The value at ``place`` (0 to 1) between two positive ends, uniform in its logarithm."""
    return ends[0] * (ends[1] / ends[0]) ** place
