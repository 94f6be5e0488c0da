"""What a prediction is computed in: bfloat16 where that is faster and changes little, else float32."""

from __future__ import annotations

import logging

import torch

from ct2pet.inference.sliding_window import Translation

_LOG = logging.getLogger(__name__)
TOLERANCE_SUV = 0.01


def native_bfloat16(device: torch.device) -> bool:
    """Whether the device computes with bfloat16 itself. Emulated it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


class FastTranslation:
    """``function`` in bfloat16 (autocast), where the device computes with it natively.

    The first windows are computed in float32 too. Where the two differ by more than ``tolerance`` (in the units of the
    result) on average, float32 it stays, and the log says so.
    """

    def __init__(self, function: Translation, device: torch.device, tolerance: float) -> None:
        self.function, self.device, self.tolerance = function, device, tolerance
        self.fast = None if native_bfloat16(device) else False

    def __call__(self, windows: torch.Tensor) -> torch.Tensor:
        if self.fast is False:
            return self.function(windows)
        with torch.autocast(self.device.type, torch.bfloat16):
            translated = self.function(windows)
        if self.fast:
            return translated
        exact = self.function(windows)
        difference = float((translated.float() - exact).abs().mean())
        self.fast = difference <= self.tolerance
        if not self.fast:
            _LOG.warning("bfloat16 changes this network's answers by %.2g: float32 it is, which is slower", difference)
        return exact
