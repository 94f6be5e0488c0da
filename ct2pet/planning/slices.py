"""The decisions for methods in 2D: how large a slice, how many at once, which networks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.networks import plan_discriminator, plan_generator
from ct2pet.planning.plans import Configuration, Slices
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.topology import SMALLEST_PATCH, fitting_patch, unet_topology

if TYPE_CHECKING:
    from ct2pet.planning.planner import Budget

_SLICES_PER_PATCH = 4  # of the largest batches: a slice costs far less than a patch


def plan_slices(configuration: Configuration, needs: Sequence[Requirements], budget: Budget) -> Slices | None:
    """The slices of one district: its median box in the plane, shrunk until two of them fit the memory, then as many
    as fit, together not larger than the largest batch of patches. None where no method asks for slices or none fits.
    """
    if not needs:
        return None
    spacing, shape = configuration.spacing[1:], configuration.median_shape[1:]
    for batch_size in (2, 1):
        edge_mm = max(n * s for n, s in zip(shape, spacing))
        while edge_mm >= SMALLEST_PATCH * min(spacing):
            patch_size = fitting_patch([edge_mm / s for s in spacing], shape, spacing, budget.max_stages)
            planned = _slices(patch_size, batch_size, spacing, budget)
            if math.prod(patch_size) <= budget.max_patch_voxels and _fits(planned, configuration, needs, budget):
                return _with_more(planned, configuration, needs, budget)
            edge_mm *= 0.95
    return None


def _slices(patch_size: list[int], batch_size: int, spacing: Sequence[float], budget: Budget) -> Slices:
    topology = unet_topology(patch_size, spacing, budget.max_stages)
    return Slices(
        patch_size,
        batch_size,
        plan_generator(topology, budget.base_features, budget.max_features),
        plan_discriminator(patch_size, budget.base_features),
    )


def _fits(planned: Slices, configuration: Configuration, needs: Sequence[Requirements], budget: Budget) -> bool:
    sliced = dataclasses.replace(configuration, slices=planned)
    return all(estimate_training_gib(sliced, need, budget.device) <= budget.memory_gib for need in needs)


def _with_more(planned: Slices, configuration: Configuration, needs: Sequence[Requirements], budget: Budget) -> Slices:
    most = min(
        _SLICES_PER_PATCH * budget.max_batch,
        budget.max_patch_voxels * budget.max_batch // math.prod(planned.patch_size),
    )
    while planned.batch_size < most:
        larger = dataclasses.replace(planned, batch_size=planned.batch_size + 1)
        if not _fits(larger, configuration, needs, budget):
            break
        planned = larger
    return planned
