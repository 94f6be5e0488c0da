"""The plan for methods in 2D: size and number of slices per step, and the networks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from ct2pet.dataset import Fields
from ct2pet.planning.budget import Budget
from ct2pet.planning.configuration import Configuration, Slices
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.networks import NetworkSize, plan_networks
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.topology import SMALLEST_PATCH, fitting_patch, unet_topology

_SLICES_PER_PATCH = 4  # largest batches; a slice needs far less memory than a patch


def plan_slices(
    configuration: Configuration, fields: Fields, needs: Sequence[Requirements], budget: Budget
) -> Slices | None:
    """The slices of one district: the median box in the plane, reduced until two slices fit into the memory, then as
    many as fit, up to the size of the largest batch of patches. None where no method needs slices or none fits.
    """
    if not needs:
        return None
    roles = list(dict.fromkeys(need.plan for own in needs for need in own.networks.values()))
    spacing, shape = configuration.spacing[1:], configuration.median_shape[1:]
    for batch_size in (2, 1):
        edge_mm = max(n * s for n, s in zip(shape, spacing))
        while edge_mm >= SMALLEST_PATCH * min(spacing):
            patch_size = fitting_patch([edge_mm / s for s in spacing], shape, spacing, budget.max_stages)
            topology = unet_topology(patch_size, spacing, budget.max_stages)
            size = NetworkSize(patch_size, topology, budget.base_features, budget.max_features)
            planned = Slices(patch_size, batch_size, plan_networks(roles, size))
            sliced = dataclasses.replace(configuration, slices=planned)
            if math.prod(patch_size) <= budget.max_patch_voxels and _fits(sliced, fields, needs, budget):
                return _with_more(planned, configuration, fields, needs, budget)
            edge_mm *= 0.95
    return None


def _fits(sliced: Configuration, fields: Fields, needs: Sequence[Requirements], budget: Budget) -> bool:
    return all(estimate_training_gib(sliced, fields, need, budget.device) <= budget.memory_gib for need in needs)


def _with_more(
    planned: Slices, configuration: Configuration, fields: Fields, needs: Sequence[Requirements], budget: Budget
) -> Slices:
    most = min(
        _SLICES_PER_PATCH * budget.max_batch,
        budget.max_patch_voxels * budget.max_batch // math.prod(planned.patch_size),
    )
    while planned.batch_size < most:
        larger = dataclasses.replace(planned, batch_size=planned.batch_size + 1)
        if not _fits(dataclasses.replace(configuration, slices=larger), fields, needs, budget):
            break
        planned = larger
    return planned
