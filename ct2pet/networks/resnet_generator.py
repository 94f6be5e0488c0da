"""The generator of CycleGAN: a few strided convolutions, residual blocks at the lowest resolution, and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from dynamic_network_architectures.building_blocks.helper import (
    convert_dim_to_conv_op,
    get_matching_convtransp,
    get_matching_instancenorm,
)
from torch import nn

_RIM_KERNEL = 7  # of the first and the last convolution


class ResNetGenerator(nn.Module):
    """Johnson et al., ECCV 2016, as in Zhu et al., ICCV 2017, appendix 7.2, in two or three dimensions: one stage a
    resolution with ``features_per_stage`` features, ``n_blocks`` residual blocks at the lowest, instance norms without
    weights, ReLU, and a linear output.

    ``strides``: of each stage, by axis; the first is 1 (a patch is a multiple of their product). Input (N, in_channels,
    *space), output (N, out_channels, *space).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        features_per_stage: Sequence[int],
        strides: Sequence[Sequence[int]],
        n_blocks: int,
    ) -> None:
        super().__init__()
        conv, first = convert_dim_to_conv_op(len(strides[0])), features_per_stage[0]
        up = get_matching_convtransp(conv)
        layers: list[nn.Module] = [_rim(conv, in_channels, first), *_norm_and_activation(conv, first)]
        for own, wider, stride in zip(features_per_stage, features_per_stage[1:], strides[1:]):
            layers += [conv(own, wider, 3, tuple(stride), padding=1), *_norm_and_activation(conv, wider)]
        layers += [_ResidualBlock(conv, features_per_stage[-1]) for _ in range(n_blocks)]
        for own, wider, stride in [*zip(features_per_stage, features_per_stage[1:], strides[1:])][::-1]:
            missing = tuple(n - 1 for n in stride)  # what a strided convolution of an even map leaves out
            layers += [up(wider, own, 3, tuple(stride), padding=1, output_padding=missing)]
            layers += _norm_and_activation(conv, own)
        self.layers = nn.Sequential(*layers, _rim(conv, first, out_channels))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image)


class _ResidualBlock(nn.Module):
    def __init__(self, conv: type[nn.Module], width: int) -> None:
        super().__init__()
        convolutions = [conv(width, width, 3, padding=1, padding_mode="reflect") for _ in range(2)]
        norm = get_matching_instancenorm(conv)
        self.path = nn.Sequential(convolutions[0], norm(width), nn.ReLU(inplace=True), convolutions[1], norm(width))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + self.path(image)


def _rim(conv: type[nn.Module], channels: int, width: int) -> nn.Module:
    return conv(channels, width, _RIM_KERNEL, padding=_RIM_KERNEL // 2, padding_mode="reflect")


def _norm_and_activation(conv: type[nn.Module], width: int) -> list[nn.Module]:
    return [get_matching_instancenorm(conv)(width), nn.ReLU(inplace=True)]
