"""Convolutions of maps smaller than their kernel, which bfloat16 on a CPU gets wrong.

Measured with torch 2.13 on a CPU with AVX512-BF16: the gradients of the weights of a three-dimensional convolution of
stride 1 whose kernel is larger than its map (3 on 2 voxels, 4 on 3, 5 on 3 and 4) are garbage up to 1e37, silently.
float32, strided and two-dimensional ones are right.
"""

from __future__ import annotations

import torch
from torch import nn


def guard_small_maps(network: nn.Module) -> nn.Module:
    """Let such layers of ``network`` compute in float32 under autocast on a CPU. Weights and their names stay."""
    for module in network.modules():
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)) and 1 in module.stride:
            module.__class__ = _GUARDED.get(type(module), type(module))
    return network


class _GuardedConv3d(nn.Conv3d):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if not _unsafe(self, image):
            return super().forward(image)
        with torch.autocast("cpu", enabled=False):
            return super().forward(image.float())


class _GuardedConvTranspose3d(nn.ConvTranspose3d):
    def forward(self, image: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        if not _unsafe(self, image):
            return super().forward(image, output_size)
        with torch.autocast("cpu", enabled=False):
            return super().forward(image.float(), output_size)


_GUARDED: dict[type, type] = {nn.Conv3d: _GuardedConv3d, nn.ConvTranspose3d: _GuardedConvTranspose3d}


def _unsafe(layer: nn.Conv3d | nn.ConvTranspose3d, image: torch.Tensor) -> bool:
    if image.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    reach = [(kernel - 1) * gap + 1 for kernel, gap in zip(layer.kernel_size, layer.dilation)]
    return any(n < r for n, r, stride in zip(image.shape[2:], reach, layer.stride) if stride == 1)
