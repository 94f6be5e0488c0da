"""Parameters and stored activations of networks for images of a class (networks/medscangan.py, networks/dcgan.py)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ct2pet.planning.layer_size import Size

_KERNEL = 9


def class_generator_size(
    arguments: Mapping[str, Any], patch_size: Sequence[int], classes: int, out_channels: int
) -> Size:
    """Size of a ClassGenerator: values that batch norms, activations and convolutions save for their gradients."""
    latent, embedding = arguments["latent_size"], arguments["embedding_size"]
    steps = list(_steps(arguments, patch_size))
    smallest, width = _maps_after(arguments["strides"][1:], patch_size)[-1], arguments["features_per_stage"][-1]
    size = Size((classes + 1) * embedding + (embedding + 1) * embedding)
    size += Size((latent + embedding + 1) * width * smallest)
    for large_width, channels, large, small in reversed(steps):
        path = _convolution(channels, large_width) + _convolution(large_width, large_width)
        parameters = 2 * channels + 2 * large_width + path + (channels + 1) * large_width
        # Norm and activation of the small map, whose input the shortcut also reads, and of the large one.
        size += Size(parameters, 2 * channels * small + 2 * large_width * large)
    first, voxels = arguments["features_per_stage"][0], math.prod(patch_size)
    return size + Size(2 * first + _convolution(first, out_channels), (2 * first + out_channels) * voxels)


def class_critic_size(arguments: Mapping[str, Any], patch_size: Sequence[int], channels: int, classes: int) -> Size:
    """Size of a ClassCritic, without the normalised weights that spectral norm stores in addition."""
    widths = arguments["features_per_stage"]
    size = Size(_convolution(channels, widths[0]), channels * math.prod(patch_size))
    for own, width, large, small in _steps(arguments, patch_size):
        parameters = _convolution(own, own) + _convolution(own, width) + (own + 1) * width
        # Input and output of each activation of the large map, and the pooled maps of path and shortcut.
        size += Size(parameters, 4 * own * large + 2 * own * small)
    last = widths[-1]
    smallest = _maps_after(arguments["strides"][1:], patch_size)[-1]
    return size + Size((last + 1) * (1 + classes), last * smallest)


def dcgan_generator_size(
    arguments: Mapping[str, Any], patch_size: Sequence[int], classes: int, out_channels: int
) -> Size:
    """Of a DCGANGenerator: one network for each class, of which each image goes through one."""
    widths, maps = [out_channels, *arguments["features_per_stage"]], _maps_after(arguments["strides"], patch_size)
    parameters = arguments["latent_size"] * widths[-1] * maps[-1]
    kept = out_channels * maps[0]
    for after, before, stride, small in zip(widths, widths[1:], arguments["strides"], maps[1:]):
        parameters += 2 * before + (before * _strided_kernel(stride) + 1) * after
        kept += 2 * before * small  # the inputs of norm and of convolution
    return Size(classes * parameters, kept)


def dcgan_critic_size(arguments: Mapping[str, Any], patch_size: Sequence[int], channels: int, classes: int) -> Size:
    """Of a DCGANCritic: one network for each class, and each image goes through all of them."""
    widths, maps = [channels, *arguments["features_per_stage"]], _maps_after(arguments["strides"], patch_size)
    parameters, kept = widths[-1] * maps[-1] + 1, 0
    for before, after, stride, small in zip(widths, widths[1:], arguments["strides"], maps[1:]):
        parameters += (before * _strided_kernel(stride) + 1) * after
        kept += 2 * after * small  # the input of the activation and the output of dropout
    return Size(classes * parameters, classes * kept + channels * maps[0])


def _maps_after(strides: Sequence[Sequence[int]], patch_size: Sequence[int]) -> list[int]:
    """The voxels of the image, and of the map after each stride."""
    maps = [list(patch_size)]
    for stride in strides:
        maps.append([n // s for n, s in zip(maps[-1], stride)])
    return [math.prod(size) for size in maps]


def _strided_kernel(stride: Sequence[int]) -> int:
    """Its voxels: it is larger than the stride by 2 along each axis."""
    return math.prod(step + 2 for step in stride)


def _steps(arguments: Mapping[str, Any], patch_size: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """From full resolution down: the widths of two stages, and the voxels of their maps."""
    widths, maps = arguments["features_per_stage"], _maps_after(arguments["strides"][1:], patch_size)
    yield from zip(widths, widths[1:], maps, maps[1:])


def _convolution(channels: int, width: int) -> int:
    return (channels * _KERNEL + 1) * width
