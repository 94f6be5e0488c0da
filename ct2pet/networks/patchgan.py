"""The PatchGAN discriminator: one score for each overlapping patch of its input."""

from __future__ import annotations

import torch
from dynamic_network_architectures.building_blocks.helper import convert_dim_to_conv_op, get_matching_instancenorm
from torch import nn


class PatchGAN(nn.Module):
    """Strided convolutions, then one of stride 1 and one to a single channel (Isola et al., CVPR 2017, appendix 6.1.2).

    Features double with every layer, up to eight times ``base_features``. The first layer has no norm. Input
    (N, in_channels, *space) with ``dimensions`` axes of space; output (N, 1, *smaller space), scores without sigmoid.
    """

    def __init__(
        self,
        in_channels: int,
        base_features: int,
        num_strided_layers: int,
        kernel_size: int = 4,
        dimensions: int = 3,
        strides: list[list[int]] | None = None,
    ) -> None:
        super().__init__()
        conv_op = convert_dim_to_conv_op(dimensions)
        norm_op = get_matching_instancenorm(conv_op)
        strides = strides or [[2] * dimensions] * num_strided_layers
        features = [base_features * min(8, 2**layer) for layer in range(num_strided_layers + 1)]
        layers: list[nn.Module] = []
        channels = in_channels
        for layer, (width, stride) in enumerate(zip(features, [*strides, [1] * dimensions])):
            layers.append(conv_op(channels, width, kernel_size, tuple(stride), padding=1, bias=layer == 0))
            if layer > 0:
                layers.append(norm_op(width, affine=True))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            channels = width
        layers.append(conv_op(channels, 1, kernel_size, 1, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image)
