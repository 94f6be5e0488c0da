"""A configuration with the networks of another one, to be initialized with its weights."""

from __future__ import annotations

import math
from dataclasses import replace

from ct2pet.planning.configuration import Configuration, NetworkPlan
from ct2pet.planning.networks import is_discriminator, strides_of
from ct2pet.planning.plan_rules import network_multiples
from ct2pet.planning.topology import SMALLEST_MAP, patchgan_maps


def adopt_networks(configuration: Configuration, source: Configuration) -> Configuration:
    """``configuration`` with the generator and the discriminator of ``source``, which were planned for another patch.

    Convolutions work with any patch that is divisible by the generator's strides and gives a deepest map of at least 4
    voxels (or that of ``source``). The patch is enlarged to the next such size, at most to the patch of ``source``; the
    batch is reduced where it would have more voxels than that of ``source``, for which memory was planned. The
    discriminator is adopted where its maps also have at least 4 voxels. Slices are adopted unchanged.
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
    )


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
