"""The data type of a prediction: bfloat16 where it is faster and changes little, else float32."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch

from ct2pet.inference.sliding_window import WindowFunction

_LOG = logging.getLogger(__name__)
TOLERANCE_SUV = 0.01
TOLERANCE_PROBABILITY = 0.01


def native_bfloat16(device: torch.device) -> bool:
    """Whether the device supports bfloat16 natively. Emulated bfloat16 is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def in_float32(function: WindowFunction) -> WindowFunction:
    """``function`` without TensorFloat-32, in which torch computes float32 convolutions on a GPU by default: its
    numbers have 10 bits after the point instead of 23, so that results would not be those of other machines."""

    def exact(windows: torch.Tensor) -> Mapping[str, torch.Tensor]:
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = False
        try:
            return function(windows)
        finally:
            torch.backends.cudnn.allow_tf32 = before

    return exact


class FastWindows:
    """``function`` in bfloat16 (autocast), where the device computes with it natively.

    The first windows are also computed in float32. Where the mean difference exceeds ``tolerances`` (by name, in the
    units of the result), float32 is used, with a log message.
    """

    def __init__(self, function: WindowFunction, device: torch.device, tolerances: Mapping[str, float]) -> None:
        self.function, self.device, self.tolerances = function, device, tolerances
        self.fast = None if native_bfloat16(device) else False

    def __call__(self, windows: torch.Tensor) -> Mapping[str, torch.Tensor]:
        if self.fast is False:
            return self.function(windows)
        with torch.autocast(self.device.type, torch.bfloat16):
            fast = self.function(windows)
        if self.fast:
            return fast
        exact = self.function(windows)
        differences = {name: float((fast[name].float() - exact[name]).abs().mean()) for name in exact}
        self.fast = all(difference <= self.tolerances[name] for name, difference in differences.items())
        if not self.fast:
            worst = ", ".join(f"{name} {difference:.2g}" for name, difference in differences.items())
            _LOG.warning(
                "bfloat16 changes the predictions of this network (%s): float32 is used, which is slower", worst
            )
        return exact
