"""The size of a network: its parameters and the activations that autograd stores, counted from a plan's arguments.

No network is built and torch is not imported. Counted are the networks of dynamic-network-architectures with plain and
residual encoders, ct2pet's PatchGAN, its ResNet generator and its U-Net with a shared encoder, in 2D and 3D; and in 2D
the networks of images of a class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ct2pet.errors import PlansError
from ct2pet.planning.class_network_size import (
    class_critic_size,
    class_generator_size,
    dcgan_critic_size,
    dcgan_generator_size,
)
from ct2pet.planning.layer_size import Block, Layers, Size, Stage, plain_block, residual_block, stacked
from ct2pet.planning.network_recipes import (
    CLASS_CRITIC,
    CLASS_GENERATOR,
    DCGAN_CRITIC,
    DCGAN_GENERATOR,
    PATCHGAN,
    PLAIN_ENCODER,
    RESIDUAL_ENCODER_UNET,
    RESNET_GENERATOR,
    SHARED_ENCODER,
    UNET,
)
from ct2pet.planning.resnet_size import resnet_generator_size
from ct2pet.planning.topology import patchgan_maps

RESIDUAL_ENCODER = "dynamic_network_architectures.building_blocks.residual_encoders.ResidualEncoder"
RESIDUAL_UNET = "dynamic_network_architectures.architectures.unet.ResidualUNet"

_BASIC_BLOCK = "dynamic_network_architectures.building_blocks.residual.BasicBlockD"
# By class: its encoder and the blocks of its decoders.
_ENCODERS_AND_DECODERS: dict[str, tuple[str, Block | None]] = {
    UNET: (PLAIN_ENCODER, plain_block),
    RESIDUAL_ENCODER_UNET: (RESIDUAL_ENCODER, plain_block),
    RESIDUAL_UNET: (RESIDUAL_ENCODER, residual_block),
    SHARED_ENCODER: (RESIDUAL_ENCODER, plain_block),
    PLAIN_ENCODER: (PLAIN_ENCODER, None),
    RESIDUAL_ENCODER: (RESIDUAL_ENCODER, None),
}
# By encoder: its blocks, and the argument with their number per stage.
_BLOCKS: dict[str, tuple[Block, str]] = {
    PLAIN_ENCODER: (plain_block, "n_conv_per_stage"),
    RESIDUAL_ENCODER: (residual_block, "n_blocks_per_stage"),
}
_COUNTED = {
    *("n_stages", "features_per_stage", "conv_op", "kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage"),
    *("n_conv_per_stage_decoder", "conv_bias", "norm_op", "norm_op_kwargs", "nonlin", "nonlin_kwargs", "nonlin_first"),
    *("deep_supervision", "block", "bottleneck_channels", "stem_channels", "encoder_class", "return_skips"),
}


def count(
    network_class: str,
    arguments: Mapping[str, Any],
    patch_size: Sequence[int],
    in_channels: int,
    out_channels: int | Sequence[int],
) -> tuple[int, int]:
    """Parameters of a network, and the values that autograd keeps for one sample of ``patch_size`` voxels in training.

    ``arguments`` as in a plan: without channels, classes by dotted name. Counted are the input, the values that
    convolutions, norms and activations save for their gradients, and the outputs (of all resolutions with deep
    supervision), which a loss saves. The statistics of norms, a few values per channel, are not counted.
    ``out_channels`` has one number for each output of ``SHARED_ENCODER``; encoders and PatchGAN ignore it.

    Raises PlansError for unsupported classes and arguments (dropout, squeeze-and-excitation, stochastic depth, pooling
    by anything but strided convolutions, encoders without a stem, norms other than instance and batch norm), where an
    argument is missing, and for several outputs of a network with one.
    """
    outputs = [out_channels] if isinstance(out_channels, int) else list(out_channels)
    if network_class not in _WITHOUT_DECODERS and network_class not in _ENCODERS_AND_DECODERS:
        known = ", ".join([*_ENCODERS_AND_DECODERS, *_WITHOUT_DECODERS])
        raise PlansError(f"the memory of {network_class} cannot be estimated; known are {known}")
    if len(outputs) != 1 and network_class != SHARED_ENCODER:
        raise PlansError(f"{network_class} has one output, not {len(outputs)}")
    try:
        if network_class in _WITHOUT_DECODERS:
            size = _WITHOUT_DECODERS[network_class](arguments, patch_size, in_channels, outputs[0])
        else:
            size = _encoder_and_decoders(network_class, arguments, patch_size, in_channels, outputs)
    except KeyError as error:
        raise PlansError(f"{network_class}: the argument {error} is missing") from None
    return size.parameters, size.activations


def _encoder_and_decoders(
    network_class: str,
    arguments: Mapping[str, Any],
    patch_size: Sequence[int],
    in_channels: int,
    outputs: Sequence[int],
) -> Size:
    encoder_class, decoder_block = _ENCODERS_AND_DECODERS[network_class]
    encoder_class = arguments.get("encoder_class", encoder_class)
    foreign = [name for name, value in arguments.items() if name not in _COUNTED and value]
    if foreign or encoder_class not in _BLOCKS:
        what = ", ".join(foreign) or encoder_class
        raise PlansError(f"the memory of {network_class} with {what} cannot be estimated")
    layers = Layers.from_arguments(arguments)
    stages = _stages(arguments, patch_size, _BLOCKS[encoder_class][1])
    size = Size(0, in_channels * math.prod(patch_size))
    if encoder_class == RESIDUAL_ENCODER:
        stem = arguments.get("stem_channels") or stages[0].width
        size += layers.convolution(in_channels, stem, stages[0].kernel, math.prod(patch_size))
        in_channels = stem
    for stage, channels in zip(stages, [in_channels, *(stage.width for stage in stages)]):
        size += stacked(_BLOCKS[encoder_class][0], layers, stage, channels)
    if decoder_block is None:
        return size
    return sum((_decoder(arguments, stages, layers, decoder_block, channels) for channels in outputs), size)


def _decoder(
    arguments: Mapping[str, Any], stages: Sequence[Stage], layers: Layers, block: Block, out_channels: int
) -> Size:
    """A decoder, from the lowest resolution up. The heads of all resolutions always exist."""
    size, levels = Size(), range(len(stages) - 2, -1, -1)
    for level, blocks in zip(levels, _repeated(arguments["n_conv_per_stage_decoder"], len(levels))):
        below, stage = stages[level + 1], replace(stages[level], blocks=blocks, stride=1, bottleneck=None)
        upsampling = (below.width * below.stride + layers.bias) * stage.width
        size += Size(upsampling, 2 * stage.width * stage.voxels)  # upsampled and skip, concatenated
        size += stacked(block, layers, stage, 2 * stage.width)
        head_in_use = level == 0 or arguments.get("deep_supervision")
        size += Size((stage.width + 1) * out_channels, out_channels * stage.voxels if head_in_use else 0)
    return size


def _stages(arguments: Mapping[str, Any], patch_size: Sequence[int], repeats: str) -> list[Stage]:
    number, axes, size = arguments["n_stages"], len(patch_size), list(patch_size)
    has_bottlenecks = arguments.get("block", _BASIC_BLOCK) != _BASIC_BLOCK
    values = [arguments[name] for name in ("features_per_stage", repeats, "kernel_sizes", "strides")]
    values.append(arguments["bottleneck_channels"] if has_bottlenecks else None)
    stages = []
    for width, blocks, kernel, stride, narrow in zip(*(_repeated(value, number) for value in values)):
        strides = _repeated(stride, axes)
        size = [n // s for n, s in zip(size, strides)]
        kernel_voxels = math.prod(_repeated(kernel, axes))
        stages.append(Stage(width, blocks, kernel_voxels, math.prod(strides), math.prod(size), narrow))
    return stages


def _repeated(value: Any, number: int) -> list[Any]:
    """dynamic-network-architectures takes one value for all stages or axes, or a list of them."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * number


def _patchgan(arguments: Mapping[str, Any], patch_size: Sequence[int], channels: int, _: int) -> Size:
    strides, base = arguments["strides"], arguments["base_features"]
    kernel = arguments["kernel_size"] ** len(patch_size)
    maps = [math.prod(size) for size in patchgan_maps(patch_size, strides)]
    size = Size(0, channels * maps[0])
    for layer, voxels in enumerate(maps[1:-1]):
        width = base * min(8, 2**layer)
        # The first layer has a bias and no norm, the others an affine norm and no bias.
        kept, per_feature = (2, 2) if layer else (1, 1)
        size += Size((channels * kernel + per_feature) * width, kept * width * voxels)
        channels = width
    return size + Size(channels * kernel + 1, maps[-1])


_WITHOUT_DECODERS: dict[str, Callable[[Mapping[str, Any], Sequence[int], int, int], Size]] = {
    PATCHGAN: _patchgan,
    RESNET_GENERATOR: resnet_generator_size,
    CLASS_GENERATOR: class_generator_size,
    CLASS_CRITIC: class_critic_size,
    DCGAN_GENERATOR: dcgan_generator_size,
    DCGAN_CRITIC: dcgan_critic_size,
}
