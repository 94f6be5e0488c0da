"""The networks of a plan: a U-Net of dynamic-network-architectures and a PatchGAN, as names and arguments."""

from __future__ import annotations

from collections.abc import Sequence

from ct2pet.planning.plans import NetworkPlan
from ct2pet.planning.topology import Topology, discriminator_strides

UNET = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
PATCHGAN = "ct2pet.networks.patchgan.PatchGAN"
_CONVOLUTIONS_PER_STAGE = 2


def plan_generator(topology: Topology, base_features: int, max_features: int) -> NetworkPlan:
    """A U-Net from one channel (CT) to one (PET), with two convolutions per stage and no deep supervision; as many
    dimensions as the topology has."""
    stages, dimensions = topology.num_stages, len(topology.strides[0])
    arguments = {
        "input_channels": 1,
        "n_stages": stages,
        "features_per_stage": [min(max_features, base_features * 2**stage) for stage in range(stages)],
        "conv_op": f"torch.nn.Conv{dimensions}d",
        "kernel_sizes": topology.kernel_sizes,
        "strides": topology.strides,
        "n_conv_per_stage": [_CONVOLUTIONS_PER_STAGE] * stages,
        "num_classes": 1,
        "n_conv_per_stage_decoder": [_CONVOLUTIONS_PER_STAGE] * (stages - 1),
        "conv_bias": True,
        "norm_op": f"torch.nn.InstanceNorm{dimensions}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"negative_slope": 0.2, "inplace": True},
        "deep_supervision": False,
    }
    return NetworkPlan(UNET, arguments)


def plan_discriminator(patch_size: Sequence[int], base_features: int) -> NetworkPlan:
    """A PatchGAN that looks at CT and PET together."""
    strides = discriminator_strides(patch_size)
    arguments = {
        "in_channels": 2,
        "base_features": base_features,
        "num_strided_layers": len(strides),
        "kernel_size": 4,
        "dimensions": len(patch_size),
        "strides": strides,
    }
    return NetworkPlan(PATCHGAN, arguments)


def registration_plan(generator: NetworkPlan, dimensions: int) -> NetworkPlan:
    """A U-Net like the generator that sees a fake and a real PET and answers a displacement."""
    changes = {"input_channels": 2, "num_classes": dimensions}
    return NetworkPlan(generator.network_class, {**generator.arguments, **changes})
