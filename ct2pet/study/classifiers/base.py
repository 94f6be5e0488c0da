"""The description of a classifier, and helpers for plug-ins."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import nn

from ct2pet.errors import PluginError


@dataclass(frozen=True)
class Classifier:
    """A network that is trained from scratch on slices. A plug-in assigns one of these to ``CLASSIFIER``.

    ``build(channels, classes)`` returns an nn.Module from images (N, channels, Y, X) to logits (N, classes), with
    random weights. The features of its last nn.Linear serve comparisons of images. Networks need at least
    ``least_pixels`` along Y and X.
    """

    build: Callable[[int, int], nn.Module]
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    least_pixels: int = 32


class KeepBatchAxis(nn.Module):
    """Networks of dynamic_network_architectures, which drop the axis of a batch of one (``squeeze``), with (N, classes)
    logits for every N."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes) of images (N, C, Y, X)."""
        return self.network(images).reshape(len(images), -1)


def optional_module(name: str, needed_by: str, install: str) -> ModuleType:
    """Import an optional package. Raises PluginError with the way to install it where it is missing or does not fit the
    torch that is installed."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a torchvision of another torch raises RuntimeError
        package = name.split(".")[0]
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PluginError(
            f"{needed_by} needs {package}, which cannot be imported ({reason}); install it with {install}"
        ) from None
