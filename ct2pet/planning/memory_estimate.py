"""How much memory a training takes, from the plan alone: counted layer by layer, without building a network.

Counted are weights, gradients, the two moments of Adam, and the activations that autograd keeps; one factor, fitted to
benchmarks/memory_estimate.py, stands for what a step needs besides: gradients of activations, the discriminator's
second pass, the convolutions' own buffers, the sampling of a warped image. Steps of batch 1 may need up to 0.25 GiB
more on a CPU, where torch takes another path for small maps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ct2pet.dataset.fields import Fields
from ct2pet.errors import PlansError
from ct2pet.planning.configuration import Configuration, NetworkPlan
from ct2pet.planning.networks import PATCHGAN, UNET
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.topology import patchgan_maps

_GIB = 2.0**30
_BYTES = 4  # float32; bf16 autocast needs less
_PER_PARAMETER = 4 * _BYTES  # weight, gradient, two moments
_RUNTIME_GIB = {"cpu": 0.38, "cuda": 0.6}  # interpreter with torch; on a GPU its context and libraries' workspaces
_FACTOR = {"cpu": 1.27, "cuda": 1.27}  # measured on a CPU; that of a GPU is assumed to be the same


def estimate_training_gib(
    configuration: Configuration, fields: Fields, requirements: Requirements, device: str
) -> float:
    """Memory (GiB) of one training process on ``device`` (``cuda``, or any other name for main memory).

    Of a method of several stages that of the most demanding one. Raises PlansError where the plan names a network that
    the planner does not make, or has no slices for a method that needs them.
    """
    return max(_of_one_training(configuration, fields, needs, device) for needs in requirements.trainings)


def _of_one_training(configuration: Configuration, fields: Fields, needs: Requirements, device: str) -> float:
    kind = "cuda" if device == "cuda" else "cpu"
    planned = configuration.as_seen_in(needs.dimensions)
    patch_size = planned.patch_size[-needs.dimensions :]
    total = 0.0
    for need in needs.networks.values():
        channels = need.in_channels(fields, needs.dimensions), need.out_channels(fields, needs.dimensions)
        parameters, activations = count(planned.network(need.plan), patch_size, *channels)
        held = activations * planned.batch_size * need.passes
        total += parameters * need.copies * _PER_PARAMETER + held * _BYTES
    return _RUNTIME_GIB[kind] + _FACTOR[kind] * total / _GIB


def count(
    network: NetworkPlan, patch_size: list[int], in_channels: int, out_channels: int | list[int]
) -> tuple[int, int]:
    """Parameters of a network, and the values that autograd keeps for one sample of ``patch_size``."""
    counters = {UNET: _count_unet, PATCHGAN: _count_patchgan}
    if network.network_class not in counters:
        known = ", ".join(counters)
        raise PlansError(f"the memory of {network.network_class} cannot be estimated; known are {known}")
    channels = {"input_channels": in_channels, "in_channels": in_channels, "num_classes": out_channels}
    return counters[network.network_class]({**network.arguments, **channels}, patch_size)


def _count_unet(arguments: Mapping[str, Any], patch_size: list[int]) -> tuple[int, int]:
    features, strides, kernels = (arguments[name] for name in ("features_per_stage", "strides", "kernel_sizes"))
    repeats, decoder_repeats = arguments["n_conv_per_stage"], arguments["n_conv_per_stage_decoder"]
    voxels, size = [], list(patch_size)
    for stride in strides:
        size = [n // s for n, s in zip(size, stride)]
        voxels.append(math.prod(size))
    channels, norms = arguments["input_channels"], arguments.get("norm_op") is not None
    kept = 2 if norms else 1  # the convolution's output; the norm's, activated in place
    parameters, activations = 0, channels * voxels[0]
    for stage, width in enumerate(features):
        for _ in range(repeats[stage]):
            parameters += _block(channels, width, kernels[stage], norms)
            activations += kept * width * voxels[stage]
            channels = width
    for stage in range(len(features) - 2, -1, -1):
        width = features[stage]
        parameters += features[stage + 1] * width * math.prod(strides[stage + 1]) + width
        activations += 2 * width * voxels[stage]  # upsampled and skip, joined
        for repeat in range(decoder_repeats[stage]):
            parameters += _block(width if repeat else 2 * width, width, kernels[stage], norms)
            activations += kept * width * voxels[stage]
    # One head is used; those of deep supervision are always built.
    heads = sum(width + 1 for width in features[:-1]) * arguments["num_classes"]
    return parameters + heads, activations + arguments["num_classes"] * voxels[0]


def _count_patchgan(arguments: Mapping[str, Any], patch_size: list[int]) -> tuple[int, int]:
    strides, base = arguments["strides"], arguments["base_features"]
    kernel = [arguments["kernel_size"]] * len(patch_size)
    maps = [math.prod(size) for size in patchgan_maps(patch_size, strides)]
    channels = arguments["in_channels"]
    parameters, activations = 0, channels * maps[0]
    for layer, voxels in enumerate(maps[1:-1]):
        width = base * min(8, 2**layer)
        parameters += channels * width * math.prod(kernel) + (2 * width if layer else width)
        activations += (2 if layer else 1) * width * voxels
        channels = width
    return parameters + channels * math.prod(kernel) + 1, activations + maps[-1]


def _block(channels: int, width: int, kernel: list[int], norms: bool) -> int:
    """Parameters of a convolution with bias and of an affine norm, where there is one."""
    return channels * width * math.prod(kernel) + (3 if norms else 1) * width
