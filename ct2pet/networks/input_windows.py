"""Input channels again in narrower windows, in which tissues of similar values differ more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class InputWindows:
    """Adds a channel for each window to images (N, C, *space): a channel clipped to the window, which is mapped
    linearly to [-1, 1]. ``windows``: channel, lower and upper end, in the values of the channel."""

    windows: Sequence[tuple[int, float, float]]

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        added = [
            (image[:, channel : channel + 1].clamp(lower, upper) - lower) * (2 / (upper - lower)) - 1
            for channel, lower, upper in self.windows
        ]
        return torch.cat([image, *added], dim=1)


def add_input_windows(network: nn.Module, windows: Sequence[tuple[int, float, float]]) -> nn.Module:
    """``network``, which from now on adds the windows to its input by itself; see InputWindows. The names of its
    weights are not changed; without windows nothing is."""
    if windows:
        network.input_windows = InputWindows(windows)  # type: ignore[assignment]  # not a layer, also of a Sequential
        network.register_forward_pre_hook(_with_windows)
    return network


def count_input_windows(network: nn.Module) -> int:
    """The number of channels that ``network`` adds to its input."""
    added = getattr(network, "input_windows", None)
    return len(added.windows) if isinstance(added, InputWindows) else 0


def _with_windows(network: Any, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (network.input_windows(*inputs),)
