"""Differentiable augmentation of a critic's images (Zhao et al., NeurIPS 2020), without changes of values."""

from __future__ import annotations

import torch
from torch.nn import functional

_SHIFT, _CUTOUT = 1 / 8, 1 / 4  # as shares of the width


def augment_for_critic(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Images (N, C, Y, X), each flipped left to right by chance, shifted by up to an eighth of its width (mirrored at
    the edges), and with a square of a quarter of its width set to 0.

    Brightness, contrast and colour, which the paper changes too, would cost a PET its SUV. ``random`` is a generator on
    the CPU.
    """
    number, _, height, width = images.shape
    matrix = torch.zeros(number, 2, 3)
    matrix[:, 0, 0] = torch.randint(0, 2, (number,), generator=random) * 2.0 - 1
    matrix[:, 1, 1] = 1
    matrix[:, :, 2] = (torch.rand(number, 2, generator=random) * 2 - 1) * 2 * _SHIFT
    centres = torch.rand(number, 2, generator=random).to(images.device) * torch.tensor(
        [height, width], device=images.device
    )
    with torch.autocast(images.device.type, enabled=False):  # bfloat16 rounds positions to parts of a voxel
        grid = functional.affine_grid(matrix.to(images.device), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    inside = [
        (torch.arange(length, device=images.device)[None] + 0.5 - centres[:, [axis]]).abs() < length * _CUTOUT / 2
        for axis, length in enumerate((height, width))
    ]
    return moved.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0.0)
