"""Depth, strides and kernels of the networks, from patch and spacing. As in nnU-Net (Isensee et al., 2021), with
anisotropy: axes of coarse voxels are pooled and convolved later than fine ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A stride-1 kernel that is larger than its map gives wrong gradients in bf16 on a CPU (k3 on 2, k4 on 3: up to
# 1e37), so that no map may be smaller than 4 voxels, neither in the generator nor in the discriminator.
SMALLEST_MAP = 4
SMALLEST_PATCH = 2 * SMALLEST_MAP
_DEEPER_DISCRIMINATOR_FROM = 64
_ANISOTROPIC = 2.0
_DISCRIMINATOR_KERNEL = 4


@dataclass(frozen=True)
class Topology:
    """A U-Net's ``strides`` and ``kernel_sizes`` per stage, Z, Y, X (of slices Y, X); the first stage has stride 1."""

    strides: list[list[int]]
    kernel_sizes: list[list[int]]

    @property
    def num_stages(self) -> int:
        return len(self.strides)

    @property
    def multiples(self) -> list[int]:
        """The divisor of a valid patch along each axis."""
        return [math.prod(axis) for axis in zip(*self.strides)]


def unet_topology(patch_size: Sequence[int], spacing: Sequence[float], max_stages: int) -> Topology:
    """Halve axes until the bottleneck would be under 4 voxels. Coarse axes are not halved until the fine ones are as
    coarse (within a factor of 2); until then kernels are 1 along them."""
    size, current = list(patch_size), list(spacing)
    ones = [1] * len(size)
    strides, kernels = [ones], [_kernel(current, ones)]
    while len(strides) < max_stages:
        roomy = [axis for axis in range(len(size)) if size[axis] >= SMALLEST_PATCH]
        if not roomy:
            break
        finest = min(current[axis] for axis in roomy)
        pooled = [axis for axis in roomy if current[axis] < _ANISOTROPIC * finest]
        stride = [2 if axis in pooled else 1 for axis in range(len(size))]
        size = [n // s for n, s in zip(size, stride)]
        current = [mm * s for mm, s in zip(current, stride)]
        strides.append(stride)
        kernels.append(_kernel(current, kernels[-1]))
    return Topology(strides, kernels)


def _kernel(spacing: Sequence[float], previous: Sequence[int]) -> list[int]:
    finest = min(spacing)
    return [3 if before == 3 or mm < _ANISOTROPIC * finest else 1 for mm, before in zip(spacing, previous)]


def fitting_patch(wanted: Sequence[float], most: Sequence[int], spacing: Sequence[float], max_stages: int) -> list[int]:
    """The patch nearest to ``wanted`` voxels that the strides divide: not above it, nor above the smallest multiple
    that covers ``most`` (the district's box)."""
    size = [max(SMALLEST_PATCH, min(int(w), m)) for w, m in zip(wanted, most)]
    multiples = unet_topology(size, spacing, max_stages).multiples
    return [_multiple(n, m, up=n >= limit) for n, m, limit in zip(size, multiples, most)]


def _multiple(n: int, of: int, *, up: bool) -> int:
    return max(of, math.ceil(n / of) * of if up else n // of * of)


def discriminator_strides(patch_size: Sequence[int]) -> list[list[int]]:
    """Strides of a PatchGAN's strided layers: two, from 64 voxels three; an axis that would become too small has
    fewer."""
    counts = [3 if n >= _DEEPER_DISCRIMINATOR_FROM else 2 for n in patch_size]
    while True:
        strides = [[2 if layer < count else 1 for count in counts] for layer in range(max(2, *counts))]
        small = [
            axis
            for axis in range(len(counts))
            if _smallest_unstrided_map(patch_size[axis], strides, axis) < SMALLEST_MAP
        ]
        if not small or not any(counts[axis] for axis in small):
            return strides
        counts = [count - 1 if axis in small and count else count for axis, count in enumerate(counts)]


def patchgan_maps(patch_size: Sequence[int], strides: Sequence[Sequence[int]]) -> list[list[int]]:
    """The sizes of a PatchGAN's maps, its input first: strided layers, one of stride 1 and the last one (kernel 4,
    padding 1)."""
    maps = [list(patch_size)]
    ones = [1] * len(patch_size)
    for stride in [*strides, ones, ones]:
        maps.append([(n + 2 - _DISCRIMINATOR_KERNEL) // s + 1 for n, s in zip(maps[-1], stride)])
    return maps


def _smallest_unstrided_map(n: int, strides: Sequence[Sequence[int]], axis: int) -> int:
    """The smallest input map along ``axis`` of a kernel of stride 1."""
    sizes = [size[axis] for size in patchgan_maps([n] * 3, [[stride[axis]] * 3 for stride in strides])]
    steps = [*(stride[axis] for stride in strides), 1, 1]
    return min(size for size, step in zip(sizes, steps) if step == 1)
