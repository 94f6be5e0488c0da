"""The networks that the planner makes: classes by their dotted names, and their arguments without input and output
channels, which follow from a dataset's fields and are set when a network is built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ct2pet.planning.topology import Topology, discriminator_strides

UNET = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
RESIDUAL_ENCODER_UNET = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
PATCHGAN = "ct2pet.networks.patchgan.PatchGAN"
PLAIN_ENCODER = "dynamic_network_architectures.building_blocks.plain_conv_encoder.PlainConvEncoder"
RESNET_GENERATOR = "ct2pet.networks.resnet_generator.ResNetGenerator"
SHARED_ENCODER = "ct2pet.networks.shared_encoder.SharedEncoderUNet"
CLASS_GENERATOR = "ct2pet.networks.medscangan.ClassGenerator"
CLASS_CRITIC = "ct2pet.networks.medscangan.ClassCritic"
DCGAN_GENERATOR = "ct2pet.networks.dcgan.DCGANGenerator"
DCGAN_CRITIC = "ct2pet.networks.dcgan.DCGANCritic"

_CONVOLUTIONS_PER_STAGE = 2
_RESIDUAL_BLOCKS = (1, 3, 4, 6, 6, 6)  # nnU-Net's ResEncL (Isensee et al., MICCAI 2024); deeper stages also have 6
_RESNET_STAGES, _RESNET_BLOCKS = 3, 6  # of CycleGAN's generator for images of 128 pixels and less (Zhu et al.)
_GAN_SLOPE, _NNUNET_SLOPE = 0.2, 0.01
_LATENT_SIZE, _EMBEDDING_SIZE = 256, 64  # the first is that of Samaras et al.; they do not give the second
_LEAST_CLASS_FEATURES = 16  # a network of slices costs far less than one of patches


def unet_arguments(topology: Topology, base_features: int, max_features: int) -> dict[str, Any]:
    """A plain U-Net (``UNET``) with two convolutions per stage and no deep supervision."""
    stages = topology.num_stages
    return {
        **_stages(topology, base_features, max_features),
        "n_conv_per_stage": [_CONVOLUTIONS_PER_STAGE] * stages,
        "n_conv_per_stage_decoder": [_CONVOLUTIONS_PER_STAGE] * (stages - 1),
        **_layers(topology, _GAN_SLOPE),
        "deep_supervision": False,
    }


def residual_unet_arguments(topology: Topology, base_features: int, max_features: int) -> dict[str, Any]:
    """A U-Net with one residual block per stage of the encoder (``RESIDUAL_ENCODER_UNET``), for small patches: with
    batch norm, because the instance norm of few voxels removes most of their mean HU."""
    stages = topology.num_stages
    return {
        **_stages(topology, base_features, max_features),
        "n_blocks_per_stage": [1] * stages,
        "n_conv_per_stage_decoder": [_CONVOLUTIONS_PER_STAGE] * (stages - 1),
        **_layers(topology, _GAN_SLOPE),
        "norm_op": f"torch.nn.BatchNorm{_dimensions(topology)}d",
        "deep_supervision": False,
    }


def shared_encoder_arguments(topology: Topology, base_features: int, max_features: int) -> dict[str, Any]:
    """A residual encoder with a decoder for each output (``SHARED_ENCODER``), both as in nnU-Net's ResEncL, with deep
    supervision."""
    stages = topology.num_stages
    return {
        **_stages(topology, base_features, max_features),
        "n_blocks_per_stage": [_RESIDUAL_BLOCKS[min(stage, len(_RESIDUAL_BLOCKS) - 1)] for stage in range(stages)],
        "n_conv_per_stage_decoder": [1] * (stages - 1),
        **_layers(topology, _NNUNET_SLOPE),
        "deep_supervision": True,
    }


def plain_shared_encoder_arguments(topology: Topology, base_features: int, max_features: int) -> dict[str, Any]:
    """A plain encoder with a decoder for each output (``SHARED_ENCODER``) and deep supervision: for a CPU, where it is
    faster than a residual encoder."""
    stages = topology.num_stages
    return {
        **_stages(topology, base_features, max_features),
        "encoder_class": PLAIN_ENCODER,
        "n_conv_per_stage": [_CONVOLUTIONS_PER_STAGE] * stages,
        "n_conv_per_stage_decoder": [1] * (stages - 1),
        **_layers(topology, _NNUNET_SLOPE),
        "deep_supervision": True,
    }


def patchgan_arguments(patch_size: Sequence[int], base_features: int) -> dict[str, Any]:
    """A PatchGAN (``PATCHGAN``) for patches or slices of ``patch_size`` voxels."""
    strides = discriminator_strides(patch_size)
    return {
        "base_features": base_features,
        "num_strided_layers": len(strides),
        "kernel_size": 4,
        "dimensions": len(patch_size),
        "strides": strides,
    }


def resnet_generator_arguments(dimensions: int, base_features: int, max_features: int) -> dict[str, Any]:
    """CycleGAN's generator (``RESNET_GENERATOR``): two strided convolutions and six residual blocks."""
    return {
        "features_per_stage": [min(max_features, base_features * 2**stage) for stage in range(_RESNET_STAGES)],
        "strides": [[1] * dimensions, *[[2] * dimensions] * (_RESNET_STAGES - 1)],
        "n_blocks": _RESNET_BLOCKS,
    }


def class_generator_arguments(
    patch_size: Sequence[int], topology: Topology, base_features: int, max_features: int
) -> dict[str, Any]:
    """A generator of images of a class (``CLASS_GENERATOR``), with the widths and strides of a U-Net's decoder."""
    return {
        "patch_size": list(patch_size),
        **class_critic_arguments(topology, base_features, max_features),
        "latent_size": _LATENT_SIZE,
        "embedding_size": _EMBEDDING_SIZE,
    }


def class_critic_arguments(topology: Topology, base_features: int, max_features: int) -> dict[str, Any]:
    """A critic of images of a class (``CLASS_CRITIC``), with the widths and strides of a U-Net's encoder."""
    widths = _widths(topology, max(base_features, _LEAST_CLASS_FEATURES), max_features)
    return {"features_per_stage": widths, "strides": topology.strides}


def dcgan_generator_arguments(
    patch_size: Sequence[int], topology: Topology, base_features: int, max_features: int
) -> dict[str, Any]:
    """A generator of images for each class (``DCGAN_GENERATOR``)."""
    return {
        **dcgan_critic_arguments(patch_size, topology, base_features, max_features),
        "latent_size": _LATENT_SIZE,
    }


def dcgan_critic_arguments(
    patch_size: Sequence[int], topology: Topology, base_features: int, max_features: int
) -> dict[str, Any]:
    """A critic of images for each class (``DCGAN_CRITIC``): it has no map as large as the image."""
    arguments = class_critic_arguments(topology, base_features, max_features)
    return {"patch_size": list(patch_size), **{name: values[1:] for name, values in arguments.items()}}


def _widths(topology: Topology, base_features: int, max_features: int) -> list[int]:
    return [min(max_features, base_features * 2**stage) for stage in range(topology.num_stages)]


def _stages(topology: Topology, base_features: int, max_features: int) -> dict[str, Any]:
    """Depth, widths, kernels and strides, in the dimensions of the topology."""
    stages = topology.num_stages
    return {
        "n_stages": stages,
        "features_per_stage": _widths(topology, base_features, max_features),
        "conv_op": f"torch.nn.Conv{_dimensions(topology)}d",
        "kernel_sizes": topology.kernel_sizes,
        "strides": topology.strides,
    }


def _layers(topology: Topology, negative_slope: float) -> dict[str, Any]:
    """The norm and activation of each convolution."""
    return {
        "conv_bias": True,
        "norm_op": f"torch.nn.InstanceNorm{_dimensions(topology)}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"negative_slope": negative_slope, "inplace": True},
    }


def _dimensions(topology: Topology) -> int:
    return len(topology.strides[0])
