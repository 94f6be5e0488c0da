"""The networks of a plan as names and arguments. Channels are not among them: they follow from the fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ct2pet.errors import PlansError
from ct2pet.planning.budget import Budget
from ct2pet.planning.configuration import NetworkPlan
from ct2pet.planning.topology import Topology, discriminator_strides

UNET = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
PATCHGAN = "ct2pet.networks.patchgan.PatchGAN"
_CONVOLUTIONS_PER_STAGE = 2


def plan_generator(topology: Topology, base_features: int, max_features: int) -> NetworkPlan:
    """A U-Net with two convolutions per stage and no deep supervision; as many dimensions as the topology has."""
    stages, dimensions = topology.num_stages, len(topology.strides[0])
    arguments = {
        "n_stages": stages,
        "features_per_stage": [min(max_features, base_features * 2**stage) for stage in range(stages)],
        "conv_op": f"torch.nn.Conv{dimensions}d",
        "kernel_sizes": topology.kernel_sizes,
        "strides": topology.strides,
        "n_conv_per_stage": [_CONVOLUTIONS_PER_STAGE] * stages,
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
    """A PatchGAN with two strided layers, from 64 voxels three."""
    strides = discriminator_strides(patch_size)
    arguments = {
        "base_features": base_features,
        "num_strided_layers": len(strides),
        "kernel_size": 4,
        "dimensions": len(patch_size),
        "strides": strides,
    }
    return NetworkPlan(PATCHGAN, arguments)


_RECIPES: dict[str, Callable[[Sequence[int], Topology, Budget], NetworkPlan]] = {
    "generator": lambda patch, topology, budget: plan_generator(topology, budget.base_features, budget.max_features),
    "discriminator": lambda patch, topology, budget: plan_discriminator(patch, budget.base_features),
}


def plan_networks(
    roles: Iterable[str], patch_size: Sequence[int], topology: Topology, budget: Budget
) -> dict[str, NetworkPlan]:
    """The networks of these ``roles`` for a patch. Raises PlansError where the planner knows none of this role."""
    unknown = [role for role in roles if role not in _RECIPES]
    if unknown:
        raise PlansError(f"the planner makes no network for the role {unknown[0]!r}; there are {', '.join(_RECIPES)}")
    return {role: _RECIPES[role](patch_size, topology, budget) for role in roles}
