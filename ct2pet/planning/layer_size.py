"""Parameters and stored activations of the blocks of dynamic-network-architectures: one convolution, or a residual
block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ct2pet.errors import PlansError

_AFFINE_BY_DEFAULT = {"InstanceNorm": False, "BatchNorm": True}


@dataclass(frozen=True)
class Size:
    """``parameters``, and ``activations``: the values that autograd keeps for one sample."""

    parameters: int = 0
    activations: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.parameters + other.parameters, self.activations + other.activations)


@dataclass(frozen=True)
class Stage:
    """``blocks`` of ``width`` features at one resolution, the first one strided.

    ``kernel`` and ``stride`` are the products over the axes, ``voxels`` those of the stage's output.
    ``bottleneck`` is the inner width of bottleneck blocks; None for all others.
    """

    width: int
    blocks: int
    kernel: int
    stride: int
    voxels: int
    bottleneck: int | None = None


@dataclass(frozen=True)
class Layers:
    """The layers after each convolution. ``kept``: values that autograd stores per value of the convolution's
    output."""

    bias: bool
    norm: bool
    affine: bool
    kept: int

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Layers:
        """From a plan's arguments. Raises PlansError for norms other than instance and batch norm."""
        norm_op, affine = arguments.get("norm_op"), False
        if norm_op is not None:
            kind = norm_op.rpartition(".")[2].rstrip("123d")
            if kind not in _AFFINE_BY_DEFAULT:
                raise PlansError(
                    f"the memory of a network with {norm_op} cannot be estimated; use instance or batch norm"
                )
            affine = (arguments.get("norm_op_kwargs") or {}).get("affine", _AFFINE_BY_DEFAULT[kind])
        # A norm keeps its input, and the next convolution keeps its own, which is the activation's result.
        kept = 1 + (norm_op is not None) + _keeps_its_input(arguments)
        return cls(bool(arguments.get("conv_bias")), norm_op is not None, affine, kept)

    def convolution(self, channels: int, width: int, kernel: int, voxels: int) -> Size:
        """A convolution with its norm and activation."""
        parameters = channels * width * kernel + (self.bias + 2 * self.affine) * width
        return Size(parameters, self.kept * width * voxels)

    def projection(self, channels: int, stage: Stage) -> Size:
        """The shortcut of a residual block: average pooling, then a convolution without bias and a norm where the
        width changes. The sum of shortcut and block keeps nothing."""
        if channels == stage.width:
            return Size()
        kept = (channels if stage.stride > 1 else 0) + (stage.width if self.norm else 0)
        return Size((channels + 2 * self.affine) * stage.width, kept * stage.voxels)


Block = Callable[[Layers, Stage, int], Size]


def plain_block(layers: Layers, stage: Stage, channels: int) -> Size:
    """ConvDropoutNormReLU, without dropout."""
    return layers.convolution(channels, stage.width, stage.kernel, stage.voxels)


def residual_block(layers: Layers, stage: Stage, channels: int) -> Size:
    """BasicBlockD, or BottleneckD, whose first convolution has the resolution of the previous stage."""
    width, narrow = stage.width, stage.bottleneck
    if narrow is None:
        block = layers.convolution(channels, width, stage.kernel, stage.voxels)
        block += layers.convolution(width, width, stage.kernel, stage.voxels)
    else:
        block = layers.convolution(channels, narrow, 1, stage.voxels * stage.stride)
        block += layers.convolution(narrow, narrow, stage.kernel, stage.voxels)
        block += layers.convolution(narrow, width, 1, stage.voxels)
    return block + layers.projection(channels, stage)


def stacked(block: Block, layers: Layers, stage: Stage, channels: int) -> Size:
    """All blocks of a stage: only the first one is strided and changes the width."""
    following = [block(layers, replace(stage, stride=1), stage.width)] * (stage.blocks - 1)
    return sum(following, block(layers, stage, channels))


def _keeps_its_input(arguments: Mapping[str, Any]) -> bool:
    """Whether the activation's gradient needs a map in addition to its result."""
    nonlin, in_place = arguments.get("nonlin"), (arguments.get("nonlin_kwargs") or {}).get("inplace", False)
    return nonlin is not None and nonlin != "torch.nn.ReLU" and not (nonlin == "torch.nn.LeakyReLU" and in_place)
