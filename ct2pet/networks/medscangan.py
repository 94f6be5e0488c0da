"""The networks of MedScanGAN: a generator of images of a class, and a critic that also names the class.

Residual blocks after Gulrajani et al., NeurIPS 2017 (appendix F); spectral norm after Miyato et al., ICLR 2018; the
auxiliary class head after Odena et al., ICML 2017. Samaras et al. (MedScanGAN) state no widths and no kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from ct2pet.networks.dcgan import smallest_map

_SLOPE = 0.2


class ClassGenerator(nn.Module):
    """Noise and a class to an image of ``patch_size`` (Y, X).

    ``in_channels``: the number of classes. ``features_per_stage`` and ``strides``: from full resolution down, as in the
    plans of U-Nets; the first map is as small as the last stage. The class goes through a perceptron of two layers to
    ``embedding_size`` numbers, which are concatenated with the ``latent_size`` numbers of noise. The output is linear:
    a PET has no upper limit.

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
        embedding_size: int = 64,
    ) -> None:
        super().__init__()
        self.num_classes, self.latent_size = in_channels, latent_size
        self.embedding = nn.Sequential(
            nn.Linear(in_channels, embedding_size), nn.LeakyReLU(_SLOPE), nn.Linear(embedding_size, embedding_size)
        )
        widths = list(features_per_stage)[::-1]
        self.first_map = (widths[0], *smallest_map(patch_size, strides))
        self.first = nn.Linear(latent_size + embedding_size, math.prod(self.first_map))
        ups = list(strides)[:0:-1]
        self.blocks = nn.Sequential(*(_Growing(a, b, up) for a, b, up in zip(widths, widths[1:], ups)))
        self.last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.Conv2d(widths[-1], out_channels, 3, 1, 1))

    def forward(self, noise: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        embedded = self.embedding(functional.one_hot(classes, self.num_classes).to(noise.dtype))
        first = self.first(torch.cat([noise, embedded], dim=1)).view(-1, *self.first_map)
        return self.last(self.blocks(first))


class _Growing(nn.Module):
    """A residual block whose output is larger by ``stride``. Only one convolution is of the large map: those of the
    large maps are most of a network's time."""

    def __init__(self, channels: int, width: int, stride: Sequence[int]) -> None:
        super().__init__()
        grow = nn.Upsample(scale_factor=tuple(map(float, stride)))
        self.path = nn.Sequential(
            *(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, width, 3, 1, 1), grow),
            *(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1)),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1), grow)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.shortcut(image) + self.path(image)


class ClassCritic(nn.Module):
    """An image to the score of a critic and the logits of its class, by residual blocks.

    ``features_per_stage`` and ``strides`` as of ClassGenerator, from full resolution down. No layer has a batch norm:
    penalties are of single images. ``forward`` takes (N, in_channels, Y, X) and gives scores (N,) and logits
    (N, num_classes).
    """

    def __init__(
        self, in_channels: int, num_classes: int, features_per_stage: Sequence[int], strides: Sequence[Sequence[int]]
    ) -> None:
        super().__init__()
        widths = list(features_per_stage)
        self.first = nn.Conv2d(in_channels, widths[0], 3, 1, 1)
        pairs = zip([widths[0], *widths[1:-1]], widths[1:], list(strides)[1:])
        self.blocks = nn.Sequential(*(_Shrinking(a, b, stride) for a, b, stride in pairs))
        self.score = nn.Linear(widths[-1], 1)
        self.classes = nn.Linear(widths[-1], num_classes)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = functional.leaky_relu(self.blocks(self.first(image)), _SLOPE).mean(dim=(2, 3))
        return self.score(features).squeeze(1), self.classes(features)


class _Shrinking(nn.Module):
    """A residual block whose output is smaller by ``stride``. Only one convolution is of the large map."""

    def __init__(self, channels: int, width: int, stride: Sequence[int]) -> None:
        super().__init__()
        shrink = nn.AvgPool2d((stride[0], stride[1]))
        self.path = nn.Sequential(
            *(nn.LeakyReLU(_SLOPE), nn.Conv2d(channels, channels, 3, 1, 1)),
            *(nn.LeakyReLU(_SLOPE), shrink, nn.Conv2d(channels, width, 3, 1, 1)),
        )
        self.shortcut = nn.Sequential(shrink, nn.Conv2d(channels, width, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.shortcut(image) + self.path(image)


def with_spectral_norm(network: nn.Module) -> nn.Module:
    """The same network, all of whose convolutions and linear layers now have spectral norm."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            spectral_norm(module)
    return network
