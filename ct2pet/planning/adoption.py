"""One configuration with another one's networks, so that it can begin with the weights of that one."""

from __future__ import annotations

import math
from dataclasses import replace

from ct2pet.planning.plans import Configuration, network_multiples
from ct2pet.planning.topology import SMALLEST_MAP, patchgan_maps


def adopt_networks(configuration: Configuration, source: Configuration) -> Configuration:
    """``configuration`` with the generator and the discriminator of ``source``, which were planned for another patch.

    Convolutions take any patch that the generator's strides divide and that leaves its deepest map 4 voxels (or what
    ``source`` leaves it). So the patch grows to the next such size, not beyond the patch of ``source``; the batch
    shrinks where it would be more voxels than that of ``source``, for which memory was planned. The discriminator is
    adopted where the patch leaves its maps 4 voxels, too. Slices are adopted whole.
    """
    if configuration.generator == source.generator:
        patch = configuration.patch_size
    else:
        sizes = zip(configuration.patch_size, source.patch_size, network_multiples(source.generator))
        patch = [_patch(own, most, multiple) for own, most, multiple in sizes]
    room = source.batch_size * math.prod(source.patch_size) // math.prod(patch)
    strides = source.discriminator.arguments.get("strides", [])
    fits = min(min(size) for size in patchgan_maps(patch, strides)[:-1]) >= SMALLEST_MAP
    return replace(
        configuration,
        generator=source.generator,
        discriminator=source.discriminator if fits else configuration.discriminator,
        patch_size=patch,
        batch_size=max(1, min(configuration.batch_size, room)),
        slices=source.slices,
    )


def _patch(own: int, most: int, multiple: int) -> int:
    deepest = max(math.ceil(own / multiple), min(SMALLEST_MAP, most // multiple))
    return min(most, deepest * multiple)
