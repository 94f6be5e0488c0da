"""Pix2Pix whose generator sees the CT twice: as planned, and in a narrow window for soft tissue.

The planned window of a trunk reaches from lung to bone, in which soft tissues differ by a few per cent of its width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch
from torch import nn

from ct2pet.dataset import Fields
from ct2pet.models.pix2pix import Pix2Pix, Pix2PixHyperparameters
from ct2pet.planning.configuration import Configuration, Normalization
from ct2pet.planning.requirements import INPUTS, NetworkNeed
from ct2pet.preprocessing.normalization import denormalize, normalize

SOFT_TISSUE_HU = (-150.0, 250.0)


@dataclass(frozen=True)
class WindowsHyperparameters(Pix2PixHyperparameters):
    """``window_low`` and ``window_high``: the second window (HU)."""

    window_low: float = SOFT_TISSUE_HU[0]
    window_high: float = SOFT_TISSUE_HU[1]


class TwoWindows(nn.Module):
    """A network that takes two channels, given one: the normalised CT (N, 1, *space) and the same in a narrow window,
    from -1 to 1."""

    def __init__(self, network: nn.Module, planned: Normalization, low: float, high: float) -> None:
        super().__init__()
        self.network, self.planned = network, planned
        self.narrow = Normalization(low, high, True, [-1.0, 1.0])

    def forward(self, ct: torch.Tensor) -> torch.Tensor:
        narrow = normalize(denormalize(ct, self.planned), self.narrow)
        return self.network(torch.cat([ct, narrow], dim=1))


class Pix2PixWindows(Pix2Pix):
    Hyperparameters = WindowsHyperparameters
    hyperparameters: WindowsHyperparameters
    requirements = replace(
        Pix2Pix.requirements,
        networks={**Pix2Pix.requirements.networks, "generator": NetworkNeed(inputs=(INPUTS, INPUTS))},
        hyperparameters=asdict(WindowsHyperparameters()),
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        super().build(configuration, fields)
        planned, numbers = configuration.normalization[fields.inputs[0].name], self.hyperparameters
        self.generator = TwoWindows(self.generator, planned, numbers.window_low, numbers.window_high)


MODEL = Pix2PixWindows
