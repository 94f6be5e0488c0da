"""The limits of a device."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ct2pet.errors import PlansError
from ct2pet.parallel import available_memory_gib

_SHARE_OF_RAM = 0.5
_GPU_GIB = 8.0  # as nnU-Net


@dataclass(frozen=True)
class Budget:
    """Memory, widths and depth of networks, and on a CPU the voxels of a patch, so that a step takes about 0.3 s."""

    device: str
    memory_gib: float
    base_features: int
    max_features: int
    max_stages: int
    max_patch_voxels: int
    max_batch: int


def budget_for(device: str, memory_target_gib: float | None = None) -> Budget:
    """The budget of ``cpu`` (by default half of the free RAM) or ``cuda`` (by default 8 GiB, as nnU-Net)."""
    if memory_target_gib is not None and not 0 < memory_target_gib < math.inf:
        raise PlansError(f"a memory target of {memory_target_gib} GiB is too small for a training")
    if device == "cuda":
        return Budget(device, memory_target_gib or _GPU_GIB, 32, 320, 6, 192**3, 8)
    return Budget(device, memory_target_gib or _SHARE_OF_RAM * available_memory_gib(), 8, 128, 5, 40**3, 2)
