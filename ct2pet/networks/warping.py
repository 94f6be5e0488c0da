"""Spatial transformer: an image sampled where a displacement field points (Jaderberg et al., NeurIPS 2015); and how
such a field is made smooth."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch


def warp(image: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """``result(p) = image(p + displacement(p))``, linear between voxels, 0 beyond the image; in float32.

    ``image`` (N, C, *space) of 2 or 3 dimensions; ``displacement`` (N, dimensions, *space) in voxels, its channels in
    the order of the axes (Y, X or Z, Y, X). Gradients reach both. Sums of gathered voxels instead of grid_sample: a
    displacement of zero changes no bit, and the gradients are deterministic on a GPU, too (with
    torch.use_deterministic_algorithms).
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


def valid_mask(displacement: torch.Tensor) -> torch.Tensor:
    """Where ``warp`` takes nothing from beyond the image: (N, 1, *space), bool."""
    inside = torch.ones_like(displacement[:, :1], dtype=torch.bool)
    for axis, size in enumerate(displacement.shape[2:]):
        places = torch.arange(size, device=displacement.device)
        along = displacement[:, axis].movedim(axis + 1, -1) + places
        inside &= ((along >= 0) & (along <= size - 1)).movedim(-1, axis + 1)[:, None]
    return inside


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


def gaussian_smooth(image: torch.Tensor, sigma: Sequence[float]) -> torch.Tensor:
    """An image or a displacement (N, C, *space) under a Gaussian of ``sigma`` voxels along each axis (0: none), in
    float32.

    At the edges the part of the Gaussian that lies inside counts, so that a constant stays what it is.
    """
    result = image.float()
    with torch.autocast(image.device.type, enabled=False):
        for axis, width in enumerate(sigma, start=2):
            if width > 0:
                places = torch.arange(result.shape[axis], device=image.device, dtype=result.dtype)
                kernel = torch.exp(-0.5 * ((places - places[:, None]) / width).square())
                kernel = kernel / kernel.sum(0)
                result = (result.movedim(axis, -1) @ kernel).movedim(-1, axis)
    return result
