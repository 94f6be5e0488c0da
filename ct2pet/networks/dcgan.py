"""DCGANs: for each class a generator and a critic of its own, which have no class as input.

After Radford et al., ICLR 2016: strided and transposed convolutions without pooling, weights from N(0, 0.02). The first
of the two methods of Samaras et al. (MedScanGAN), who add dropout to the critic and train it with a gradient penalty;
they state no widths, no kernels and no rate of dropout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ct2pet.networks.initialization import normal_init

_SLOPE, _DROPOUT = 0.2, 0.25


class DCGANGenerator(nn.Module):
    """Noise to an image of ``patch_size`` (Y, X), by the generator of the image's class.

    ``in_channels``: the number of classes. ``features_per_stage`` and ``strides``: of the maps from the largest down,
    which is ``strides[0]`` times smaller than the image; the generator's first map is the last of them. Each step is a
    transposed convolution; batch norm and ReLU stand before it. The output is linear: a PET has no upper limit.

    ``forward`` takes noise (N, latent_size) and classes (N) of integers and gives (N, out_channels, Y, X). Raises
    ValueError where the strides do not divide the patch.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        patch_size: Sequence[int],
        features_per_stage: Sequence[int],
        strides: Sequence[Sequence[int]],
        latent_size: int = 256,
    ) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.first_map = (features_per_stage[-1], *smallest_map(patch_size, strides))
        widths = [*list(features_per_stage)[::-1], out_channels]

        def one_class() -> nn.Module:
            layers: list[nn.Module] = [nn.Linear(latent_size, math.prod(self.first_map), bias=False)]
            layers.append(nn.Unflatten(1, self.first_map))
            for before, after, stride in zip(widths, widths[1:], list(strides)[::-1]):
                layers += [nn.BatchNorm2d(before), nn.ReLU()]
                layers.append(nn.ConvTranspose2d(before, after, *_kernel_and_stride(stride), 1))
            return normal_init(nn.Sequential(*layers))

        self.of_class = nn.ModuleList(one_class() for _ in range(in_channels))

    def forward(self, noise: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        members = [torch.nonzero(classes == number).flatten() for number in range(len(self.of_class))]
        made = [network(noise[own]) for network, own in zip(self.of_class, members) if len(own)]
        return torch.cat(made)[torch.argsort(torch.cat(members))]


class DCGANCritic(nn.Module):
    """An image to the scores of the critics of all classes; each one is trained with images of its class alone.

    ``features_per_stage`` and ``strides`` as of DCGANGenerator: each step is a strided convolution, followed by leaky
    ReLU and dropout; the last map is flattened for the score. There is no batch norm: a gradient penalty is of single
    images. ``forward`` takes (N, in_channels, Y, X) and gives (N, num_classes).
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        patch_size: Sequence[int],
        features_per_stage: Sequence[int],
        strides: Sequence[Sequence[int]],
    ) -> None:
        super().__init__()
        widths = [in_channels, *features_per_stage]
        last = features_per_stage[-1] * math.prod(smallest_map(patch_size, strides))

        def one_class() -> nn.Module:
            layers: list[nn.Module] = []
            for before, after, stride in zip(widths, widths[1:], strides):
                layers.append(nn.Conv2d(before, after, *_kernel_and_stride(stride), 1))
                layers += [nn.LeakyReLU(_SLOPE), nn.Dropout2d(_DROPOUT)]
            return normal_init(nn.Sequential(*layers, nn.Flatten(), nn.Linear(last, 1)))

        self.of_class = nn.ModuleList(one_class() for _ in range(num_classes))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([network(image) for network in self.of_class], dim=1)


def smallest_map(patch_size: Sequence[int], strides: Sequence[Sequence[int]]) -> list[int]:
    """What is left of ``patch_size`` after all strides. Raises ValueError where they do not divide it."""
    factors = [math.prod(axis) for axis in zip(*strides)]
    if any(n % factor for n, factor in zip(patch_size, factors)):
        raise ValueError(f"the strides {list(strides)} do not divide the patch {list(patch_size)}")
    return [n // factor for n, factor in zip(patch_size, factors)]


def _kernel_and_stride(stride: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """With a padding of 1 the kernel changes the size by exactly ``stride``: 4 for stride 2, as in DCGAN."""
    rows, columns = stride
    return (rows + 2, columns + 2), (rows, columns)
