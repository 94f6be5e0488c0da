"""What a displacement field costs that is not smooth."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def smoothness(displacement: torch.Tensor, spacing: Sequence[float] | None = None) -> torch.Tensor:
    """Mean squared gradient of a displacement (N, dimensions, *space) in voxels: the sum over the axes of the means
    over voxels and channels (Kong et al., NeurIPS 2021), so that a shift of the whole image costs nothing.

    ``spacing`` (mm, of the same axes): gradients are those of millimetres per millimetre, also where voxels are no
    cubes. An axis of one voxel has no gradient.
    """
    dimensions = displacement.shape[1]
    # Filled on the device: a copy from the CPU would wait for the work of a GPU.
    each = [displacement.new_full((1,), mm, dtype=torch.float32) for mm in spacing or [1.0] * dimensions]
    lengths = torch.cat(each)
    field_mm = displacement.float() * lengths.view(1, -1, *[1] * dimensions)
    total = field_mm.new_zeros(())
    for axis in range(dimensions):
        if displacement.shape[axis + 2] > 1:
            total = total + (field_mm.diff(dim=axis + 2) / lengths[axis]).square().mean()
    return total
