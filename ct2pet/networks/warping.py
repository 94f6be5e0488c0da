"""Spatial transformer: an image sampled where a displacement field points (Jaderberg et al., NeurIPS 2015); and how
such a field is made smooth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch.nn import functional

_FAINT = 0.003  # a difference of normalised PETs (0.03 SUV of a window of 10) that means nothing


def warp(image: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """``result(p) = image(p + displacement(p))``, linear between voxels, 0 beyond the image; in float32.

    ``image`` (N, C, *space) of 2 or 3 dimensions; ``displacement`` (N, dimensions, *space) in voxels, its channels in
    the order of the axes (Y, X or Z, Y, X). Gradients reach both. Sums of gathered voxels instead of grid_sample: a
    displacement of zero changes no bit, and the gradients are deterministic on a GPU, too, where torch is asked for it.
    """
    space = image.shape[2:]
    if displacement.shape != (len(image), len(space), *space):
        raise ValueError(f"a displacement of {tuple(displacement.shape)} for an image of {tuple(image.shape)}")
    image, displacement = image.float(), displacement.float()
    axes = [torch.arange(n, device=image.device, dtype=torch.float32) for n in space]
    places = displacement + torch.stack(torch.meshgrid(*axes, indexing="ij"))
    low = places.detach().floor()
    share = places - low  # of the upper neighbour, along each axis
    voxels = image.flatten(2)
    result = torch.zeros_like(voxels)
    for corner in itertools.product((0, 1), repeat=len(space)):
        index, weight = _corner(low.long(), share, corner, space)
        neighbours = voxels.gather(2, index.flatten(1)[:, None].expand(-1, image.shape[1], -1))
        result = result + neighbours * weight.flatten(1)[:, None]
    return result.view_as(image)


def _corner(
    low: torch.Tensor, share: torch.Tensor, corner: Sequence[int], space: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The flat index (N, *space) of one of the neighbours, and its weight: 0 where it lies beyond the image."""
    index = torch.zeros_like(low[:, 0])
    weight = torch.ones_like(share[:, 0])
    for axis, (upper, size) in enumerate(zip(corner, space)):
        place = low[:, axis] + upper
        weight = weight * (share[:, axis] if upper else 1 - share[:, axis])
        weight = weight * ((place >= 0) & (place < size))
        index = index * size + place.clamp(0, size - 1)
    return index, weight


def smoothed(displacement: torch.Tensor, sigma: Sequence[float]) -> torch.Tensor:
    """A displacement (N, C, *space) under a Gaussian of ``sigma`` voxels along each axis (0: none), in float32.

    At the edges the part of the Gaussian that lies inside counts, so that a constant stays what it is.
    """
    field = displacement.float()
    for axis, width in enumerate(sigma):
        if width > 0 and field.shape[axis + 2] > 1:
            kernel = _gaussian(width, field)
            field = _along(field, kernel, axis) / _along(torch.ones_like(field[:1, :1]), kernel, axis)
    return field


def _gaussian(sigma: float, like: torch.Tensor) -> torch.Tensor:
    reach = math.ceil(3 * sigma)
    steps = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)
    return torch.exp(-0.5 * (steps / sigma) ** 2)


def _along(field: torch.Tensor, kernel: torch.Tensor, axis: int) -> torch.Tensor:
    """Convolve one axis of every channel, with zeros around."""
    last = field.movedim(axis + 2, -1)
    lines = functional.conv1d(last.reshape(-1, 1, last.shape[-1]), kernel.view(1, 1, -1), padding="same")
    return lines.view(last.shape).movedim(-1, axis + 2)


def pull(moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """Which way, and about how far (voxels), the difference of two images (N, 1, *space) pulls a voxel of ``moving``:
    (N, dimensions, *space), without gradients.

    The force of the demons (Thirion, Med Image Anal 1998), with the gradient of the mean of both; it is as strong at a
    faint edge as at a bright one, and at most half a voxel.
    """
    moving, fixed = moving.detach().float(), fixed.detach().float()
    difference, mean = fixed - moving, (moving + fixed) / 2
    slopes = torch.cat([_slope(mean, axis) for axis in range(2, mean.ndim)], dim=1)
    return difference * slopes / (slopes.square().sum(1, keepdim=True) + difference.square() + _FAINT**2)


def _slope(image: torch.Tensor, axis: int) -> torch.Tensor:
    """Central differences, 0 at both ends."""
    inner = (image.narrow(axis, 2, image.shape[axis] - 2) - image.narrow(axis, 0, image.shape[axis] - 2)) / 2
    ends = torch.zeros_like(image.narrow(axis, 0, 1))
    return torch.cat([ends, inner, ends], dim=axis)
