"""Networks of every class that plans can name: their arguments as in a plan, and the built module."""

from pkgutil import resolve_name

import torch

from ct2pet.planning.network_recipes import (
    PATCHGAN,
    PLAIN_ENCODER,
    RESIDUAL_ENCODER_UNET,
    SHARED_ENCODER,
    UNET,
    patchgan_arguments,
    shared_encoder_arguments,
    unet_arguments,
)
from ct2pet.planning.network_size import RESIDUAL_ENCODER, RESIDUAL_UNET
from ct2pet.planning.topology import unet_topology

WITH_DECODERS = [UNET, RESIDUAL_ENCODER_UNET, RESIDUAL_UNET, SHARED_ENCODER]
WITH_RESIDUAL_BLOCKS = [RESIDUAL_ENCODER_UNET, RESIDUAL_UNET, SHARED_ENCODER, RESIDUAL_ENCODER]
CLASSES = [*WITH_DECODERS, PLAIN_ENCODER, RESIDUAL_ENCODER, PATCHGAN]
BOTTLENECK = "dynamic_network_architectures.building_blocks.residual.BottleneckD"


def arguments_of(network_class, patch, spacing=None, features=4, stages=4):
    """As in a plan: no channels in and out."""
    if network_class == PATCHGAN:
        return patchgan_arguments(patch, features)
    topology = unet_topology(patch, spacing or [4.0] * len(patch), stages)
    recipe = shared_encoder_arguments if network_class in WITH_RESIDUAL_BLOCKS else unet_arguments
    arguments = recipe(topology, features, 8 * features)
    if network_class not in WITH_DECODERS:
        arguments = {k: v for k, v in arguments.items() if k not in ("n_conv_per_stage_decoder", "deep_supervision")}
        arguments["return_skips"] = True
    return arguments


def built(network_class, arguments, in_channels, out_channels, device="cpu"):
    """The module; ``out_channels`` is a list for a shared encoder, and unused for encoders and PatchGAN."""
    named = {k: resolve_name(v) if isinstance(v, str) and "." in v else v for k, v in arguments.items()}
    names = {SHARED_ENCODER: ("input_channels", "out_channels"), PATCHGAN: ("in_channels", None)}
    names |= dict.fromkeys((PLAIN_ENCODER, RESIDUAL_ENCODER), ("input_channels", None))
    input_name, output_name = names.get(network_class, ("input_channels", "num_classes"))
    channels = {input_name: in_channels, **({output_name: out_channels} if output_name else {})}
    with torch.device(device):
        return resolve_name(network_class)(**named, **channels)


def all_outputs(outputs):
    """The tensors of nested lists, in order."""
    return [tensor for part in outputs for tensor in all_outputs(part)] if isinstance(outputs, list) else [outputs]
