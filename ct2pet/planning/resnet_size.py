"""Parameters and stored activations of the generator of CycleGAN (networks/resnet_generator.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ct2pet.planning.layer_size import Size

_RIM, _INNER = 7, 3  # kernels


def resnet_generator_size(
    arguments: Mapping[str, Any], patch_size: Sequence[int], in_channels: int, out_channels: int
) -> Size:
    """Size of a ResNetGenerator. Each norm stores its input and each activation its result, which the next convolution
    reads; a convolution with reflected borders also stores the padded map."""
    widths, blocks, axes = arguments["features_per_stage"], arguments["n_blocks"], len(patch_size)
    maps = [list(patch_size)]
    for stride in arguments["strides"][1:]:
        maps.append([n // s for n, s in zip(maps[-1], stride)])
    voxels = [math.prod(size) for size in maps]

    size = _reflected(in_channels, widths[0], _RIM, maps[0]) + Size(0, 2 * widths[0] * voxels[0])
    for own, wider, large, small in zip(widths, widths[1:], voxels, voxels[1:]):
        down = (own * _INNER**axes + 1) * wider
        up = (wider * _INNER**axes + 1) * own
        size += Size(down + up, 2 * wider * small + 2 * own * large)
    block = _reflected(widths[-1], widths[-1], _INNER, maps[-1])
    for _ in range(blocks):
        size += block + block + Size(0, 4 * widths[-1] * voxels[-1])  # two norms, an activation, and the sum
    return size + _reflected(widths[0], out_channels, _RIM, maps[0]) + Size(0, out_channels * voxels[0])


def _reflected(channels: int, width: int, kernel: int, shape: Sequence[int]) -> Size:
    """A convolution with its bias, and its padded input."""
    padded = math.prod(n + 2 * (kernel // 2) for n in shape)
    return Size((channels * kernel ** len(shape) + 1) * width, channels * padded)
