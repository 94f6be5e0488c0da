"""The weights of a window's voxels in the mean of overlapping windows."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ct2pet.planning.configuration import GAUSSIAN

_SIGMA = 1 / 8  # of a window
_SMALLEST_WEIGHT = 1e-4


def window_weights(kind: str, patch_size: Sequence[int]) -> torch.Tensor:
    """The weights of a window's voxels (Z, Y, X), float32: ones (``uniform``), or a Gaussian with a standard deviation
    of an eighth of the window along each axis (``gaussian``), as in nnU-Net, to avoid visible window borders in the
    mean. At least 1e-4 in the corners, where there may be only one window."""
    weights = torch.ones(*patch_size)
    if kind == GAUSSIAN:
        for axis, size in enumerate(patch_size):
            distance = (torch.arange(size) - (size - 1) / 2) / (_SIGMA * size)
            shape = [size if index == axis else 1 for index in range(len(patch_size))]
            weights = weights * torch.exp(-(distance**2) / 2).reshape(shape)
        weights = weights.clamp(min=_SMALLEST_WEIGHT)
    return weights
