"""The networks of a plan, by role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct2pet.errors import PlansError
from ct2pet.planning.configuration import NetworkPlan
from ct2pet.planning.network_recipes import (
    CLASS_CRITIC,
    CLASS_GENERATOR,
    DCGAN_CRITIC,
    DCGAN_GENERATOR,
    PATCHGAN,
    RESIDUAL_ENCODER_UNET,
    RESNET_GENERATOR,
    SHARED_ENCODER,
    UNET,
    class_critic_arguments,
    class_generator_arguments,
    dcgan_critic_arguments,
    dcgan_generator_arguments,
    patchgan_arguments,
    plain_shared_encoder_arguments,
    residual_unet_arguments,
    resnet_generator_arguments,
    shared_encoder_arguments,
    unet_arguments,
)
from ct2pet.planning.topology import Topology

_RESIDUAL_FROM, _LEAST_FEATURES_OF_LABELS = 32, 16


@dataclass(frozen=True)
class NetworkSize:
    """The size of a network: the patch (voxels), the topology for it, and the widths of its stages."""

    patch_size: Sequence[int]
    topology: Topology
    base_features: int
    max_features: int


def plan_generator(topology: Topology, base_features: int, max_features: int) -> NetworkPlan:
    """A U-Net for one output, in the dimensions of the topology."""
    return NetworkPlan(UNET, unet_arguments(topology, base_features, max_features))


def plan_discriminator(patch_size: Sequence[int], base_features: int) -> NetworkPlan:
    """A PatchGAN for a patch or a slice."""
    return NetworkPlan(PATCHGAN, patchgan_arguments(patch_size, base_features))


def plan_residual_unet(size: NetworkSize) -> NetworkPlan:
    """A residual U-Net with batch norm, for small patches."""
    arguments = residual_unet_arguments(size.topology, size.base_features, size.max_features)
    return NetworkPlan(RESIDUAL_ENCODER_UNET, arguments)


def plan_resnet_generator(size: NetworkSize) -> NetworkPlan:
    """CycleGAN's own generator, in the dimensions of the patch."""
    arguments = resnet_generator_arguments(len(size.patch_size), size.base_features, size.max_features)
    return NetworkPlan(RESNET_GENERATOR, arguments)


def plan_shared_encoder(topology: Topology, base_features: int, max_features: int) -> NetworkPlan:
    """An encoder with a decoder for each output: nnU-Net's residual encoder from 32 features on, a plain one below.

    The last stage of a label decoder has ``base_features``, from which all classes are computed: with 8 features many
    of 19 classes are not learned (documentation/explanation/ldos.md), so the minimum is 16.
    """
    if base_features >= _RESIDUAL_FROM:
        return NetworkPlan(SHARED_ENCODER, shared_encoder_arguments(topology, base_features, max_features))
    wide = max(_LEAST_FEATURES_OF_LABELS, base_features)
    return NetworkPlan(SHARED_ENCODER, plain_shared_encoder_arguments(topology, wide, max_features))


def plan_class_generator(size: NetworkSize) -> NetworkPlan:
    """A generator of slices of a class; in two dimensions."""
    arguments = class_generator_arguments(size.patch_size, size.topology, size.base_features, size.max_features)
    return NetworkPlan(CLASS_GENERATOR, arguments)


def plan_class_critic(size: NetworkSize) -> NetworkPlan:
    """A critic of slices that also classifies them; in two dimensions."""
    return NetworkPlan(CLASS_CRITIC, class_critic_arguments(size.topology, size.base_features, size.max_features))


def plan_dcgan_generator(size: NetworkSize) -> NetworkPlan:
    """A generator of slices for each class; in two dimensions."""
    arguments = dcgan_generator_arguments(size.patch_size, size.topology, size.base_features, size.max_features)
    return NetworkPlan(DCGAN_GENERATOR, arguments)


def plan_dcgan_critic(size: NetworkSize) -> NetworkPlan:
    """A critic of slices for each class; in two dimensions."""
    arguments = dcgan_critic_arguments(size.patch_size, size.topology, size.base_features, size.max_features)
    return NetworkPlan(DCGAN_CRITIC, arguments)


_RECIPES: Mapping[str, Callable[[NetworkSize], NetworkPlan]] = {
    "generator": lambda size: plan_generator(size.topology, size.base_features, size.max_features),
    "discriminator": lambda size: plan_discriminator(size.patch_size, size.base_features),
    "residual_unet": plan_residual_unet,
    "resnet_generator": plan_resnet_generator,
    "shared_encoder": lambda size: plan_shared_encoder(size.topology, size.base_features, size.max_features),
    "class_generator": plan_class_generator,
    "class_critic": plan_class_critic,
    "dcgan_generator": plan_dcgan_generator,
    "dcgan_critic": plan_dcgan_critic,
}


def plan_networks(roles: Iterable[str], size: NetworkSize) -> dict[str, NetworkPlan]:
    """The networks of these ``roles``. Raises PlansError where the planner makes none for a role."""
    return {role: plan_network(role, size) for role in roles}


def plan_network(role: str, size: NetworkSize) -> NetworkPlan:
    """The network of a role. Raises PlansError where the planner makes none for it."""
    if role not in _RECIPES:
        raise PlansError(f"the planner makes no network for the role {role!r}; known are {', '.join(_RECIPES)}")
    return _RECIPES[role](size)


def is_discriminator(network: NetworkPlan) -> bool:
    """Whether a network outputs scores of patches, and works with any patch for which its maps are not too small."""
    return network.network_class == PATCHGAN


def strides_of(network: NetworkPlan) -> list[list[int]]:
    """The strides of a network's layers; empty where its arguments have none."""
    strides: Any = network.arguments.get("strides", [])
    return strides
