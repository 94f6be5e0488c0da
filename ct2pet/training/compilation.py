"""Networks translated into faster code for the device, before their first steps."""

from __future__ import annotations

import torch

from ct2pet.errors import TrainingError
from ct2pet.models.base import Model


def compile_networks(model: Model, device: torch.device) -> None:
    """Let torch.compile translate each network of ``model`` when it is first used. The names of its weights stay.

    Raises TrainingError where torch cannot compile for this device: a CPU needs a C++ compiler, a GPU Triton.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=device))
    except Exception as error:  # whatever a compiler or its absence may raise
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(f"--compile: torch cannot compile for {device} here ({reason}); leave it out") from error
    for network in model.children():
        if next(network.parameters(), None) is not None:
            network.compile()
