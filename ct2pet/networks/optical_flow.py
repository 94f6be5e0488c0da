"""The displacement between two images, without training (Lucas and Kanade, IJCAI 1981)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ct2pet.networks.warping import gaussian_smooth, valid_mask, warp

_RIDGE = 0.003  # of the largest structure and of the difference: where the image is flat, nothing is moved
_OUTLIER = 3.0  # mean differences: a voxel that differs so much counts half
_TINY = 1e-12
_BLURS = (2.0, 1.0, 0.0)  # voxels: moves of more than about a voxel are seen in blurred images alone

_Columns = list[torch.Tensor]


@torch.no_grad()
def optical_flow(
    moving: torch.Tensor, fixed: torch.Tensor, weight: torch.Tensor, sigma: Sequence[float]
) -> torch.Tensor:
    """The displacement (N, dimensions, *space) in voxels that moves ``moving`` onto ``fixed`` (N, 1, *space), without
    gradients; see warp.

    Everywhere it is the shift that, with a factor of brightness, best explains the differences under a Gaussian of
    ``sigma`` voxels (along each axis), each voxel with its ``weight``. Voxels that differ more than most count less
    (Cauchy), since much of what two images differ in is no displacement.
    """
    moving, fixed, weight = moving.float(), fixed.float(), weight.float()
    fixed = torch.where(weight > 0, fixed, moving)  # or else it would be seen once blurred
    flow = moving.new_zeros(len(moving), moving.ndim - 2, *moving.shape[2:])
    for blur in _BLURS:
        coarse, target = (gaussian_smooth(image, [blur] * flow.shape[1]) for image in (moving, fixed))
        moved = warp(coarse, flow)
        difference = target - moved
        seen = weight * valid_mask(flow)
        usual = _OUTLIER * _mean(difference.abs(), seen).clamp(min=_TINY)
        trust = seen / (1 + (difference / usual).square())
        flow = flow + _best_shift(moved + difference / 2, difference, trust, sigma)
    return flow


def _best_shift(
    image: torch.Tensor, difference: torch.Tensor, trust: torch.Tensor, sigma: Sequence[float]
) -> torch.Tensor:
    """The shift s with slopes(image) · s + gain · image = difference in the sense of least squares, voxel by voxel."""
    slopes = [_slope(image, axis) for axis in range(2, image.ndim)]
    columns = [*slopes, image]
    axes = range(len(columns))
    products = [trust * columns[i] * columns[j] for i in axes for j in axes if j <= i]
    products += [trust * column * difference for column in columns]
    means = iter(gaussian_smooth(torch.cat(products, dim=1), sigma).split(1, dim=1))
    matrix = [[next(means) for _ in range(i + 1)] for i in axes]
    structure = sum(matrix[i][i] for i in range(len(slopes)))
    largest = structure.flatten(1).amax(1).view(-1, *[1] * (image.ndim - 1))
    ridge = _RIDGE * (largest + _mean(difference.square(), trust)) + _TINY
    for i in axes:
        matrix[i][i] = matrix[i][i] + ridge
    return torch.cat(_solved(matrix, list(means))[: len(slopes)], dim=1)


def _solved(matrix: list[_Columns], right: _Columns) -> _Columns:
    """Solve ``matrix`` x = ``right`` by Cholesky; of the symmetric matrix the lower half is given."""
    axes = range(len(right))
    lower: list[_Columns] = []
    for i in axes:
        lower.append([])
        for j in range(i + 1):
            rest = matrix[i][j] - sum(lower[i][k] * lower[j][k] for k in range(j))
            lower[i].append(rest.clamp(min=_TINY).sqrt() if i == j else rest / lower[j][j])
    half: _Columns = []
    for i in axes:
        half.append((right[i] - sum(lower[i][k] * half[k] for k in range(i))) / lower[i][i])
    result: dict[int, torch.Tensor] = {}
    for i in reversed(axes):
        result[i] = (half[i] - sum(lower[k][i] * result[k] for k in axes if k > i)) / lower[i][i]
    return [result[i] for i in axes]


def _mean(image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Of each sample, as (N, 1, 1, ...)."""
    total = (image * weight).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp(min=_TINY)
    return total.view(-1, *[1] * (image.ndim - 1))


def _slope(image: torch.Tensor, axis: int) -> torch.Tensor:
    """Central differences, 0 at both ends."""
    inner = (image.narrow(axis, 2, image.shape[axis] - 2) - image.narrow(axis, 0, image.shape[axis] - 2)) / 2
    ends = torch.zeros_like(image.narrow(axis, 0, 1))
    return torch.cat([ends, inner, ends], dim=axis)
