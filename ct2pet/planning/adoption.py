"""A configuration with the networks of another one, to be initialized with its weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

from ct2pet.dataset import Description
from ct2pet.errors import PlansError
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.planning.configuration import Configuration, NetworkPlan, Normalization
from ct2pet.planning.networks import is_discriminator, strides_of
from ct2pet.planning.plan_rules import network_multiples
from ct2pet.planning.planner import PlanRequest, plan_experiment, planned_fields
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.topology import SMALLEST_MAP, patchgan_maps

_MOST_TISSUES = "trunk"
_FINE_TUNING = {"fine_tuning_factor": 0.1, "initial_weights_decay": 500.0}  # benchmarks/box_sts.py


def plans_like(
    source: Plans,
    fingerprint: Fingerprint,
    description: Description,
    requirements: Mapping[str, Requirements],
    request: PlanRequest,
) -> Plans:
    """Plans with the networks, the spacing and the normalization of the plans ``source``, so that trainings can start
    from the weights of its model, with smaller learning rates (``fine_tuning_factor``) and a weight decay towards
    these weights (``initial_weights_decay``). All other decisions are the planner's. Each configuration is like its
    ``counterpart``. Raises PlansError where the dataset has other inputs or targets."""
    if planned_fields(description.fields) != source.fields:
        raise PlansError(
            f"{fingerprint.dataset_name}: other inputs or targets than {source.dataset_name}; use other plans (-p)"
        )
    spacing = next(iter(source.configurations.values())).spacing
    planned = plan_experiment(fingerprint, description, requirements, replace(request, target_spacing=spacing))
    configurations = {}
    for name, configuration in planned.configurations.items():
        like = source.configuration(counterpart(name, source.configurations))
        adopted = adopt_networks(configuration, like)
        configurations[name] = replace(adopted, normalization=like.normalization)
    models = {name: {**numbers, **_FINE_TUNING} for name, numbers in planned.models.items()}
    return replace(planned, configurations=configurations, models=models)


def counterpart(name: str, there: Collection[str]) -> str:
    """The configuration of a model, one of ``there``, from which the configuration ``name`` starts: the one of this
    name, else the whole body, else the trunk, which contains most tissues. Raises PlansError where none exists."""
    for candidate in (name, WHOLE_BODY, _MOST_TISSUES):
        if candidate in there:
            return candidate
    raise PlansError(f"{name}: the initial weights have only the configurations {', '.join(sorted(there))}")


def adopt_networks(configuration: Configuration, source: Configuration) -> Configuration:
    """``configuration`` with the generator and the discriminator of ``source``, which were planned for another patch.

    Convolutions work with any patch that is divisible by the generator's strides and gives a deepest map of at least 4
    voxels (or that of ``source``). The patch is enlarged to the next such size, at most to the patch of ``source``; the
    batch is reduced where it would have more voxels than that of ``source``, for which memory was planned. The
    discriminator is adopted where its maps also have at least 4 voxels. Slices are adopted unchanged, and so are the
    windows of inputs, if ``source`` has any: its generator has a channel for each.
    """
    own, theirs = _main_network(configuration), _main_network(source)
    if own == theirs:
        patch = configuration.patch_size
    else:
        sizes = zip(configuration.patch_size, source.patch_size, network_multiples(theirs))
        patch = [_patch(n, most, multiple) for n, most, multiple in sizes]
    room = source.batch_size * math.prod(source.patch_size) // math.prod(patch)
    networks = {role: network for role, network in source.networks.items() if _fits(network, patch)}
    return replace(
        configuration,
        networks={**configuration.networks, **networks},
        patch_size=patch,
        batch_size=max(1, min(configuration.batch_size, room)),
        slices=source.slices,
        normalization={
            name: _with_windows(own, source.normalization.get(name))
            for name, own in configuration.normalization.items()
        },
    )


def _with_windows(own: Normalization, source: Normalization | None) -> Normalization:
    return replace(own, windows=source.windows) if source is not None and source.windows else own


def _main_network(configuration: Configuration) -> NetworkPlan:
    """The network whose strides must divide a patch: the first that is not a discriminator."""
    return next(network for network in configuration.networks.values() if not is_discriminator(network))


def _patch(own: int, most: int, multiple: int) -> int:
    deepest = max(math.ceil(own / multiple), min(SMALLEST_MAP, most // multiple))
    return min(most, deepest * multiple)


def _fits(network: NetworkPlan, patch: list[int]) -> bool:
    """Whether no map of a discriminator becomes too small. Other networks work with any patch that is divisible by
    their strides."""
    if not is_discriminator(network):
        return True
    maps = patchgan_maps(patch, strides_of(network))
    return min(min(size) for size in maps[:-1]) >= SMALLEST_MAP
