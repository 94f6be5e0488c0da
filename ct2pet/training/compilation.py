"""Compilation of networks by torch.compile."""

from __future__ import annotations

import torch

from ct2pet.errors import TrainingError
from ct2pet.models.base import Model


def compile_networks(model: Model, device: torch.device) -> None:
    """Compile each network of ``model`` by torch.compile at its first use. The names of its weights are not changed.

    Raises TrainingError where torch cannot compile for this device: a CPU needs a C++ compiler, a GPU Triton.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=device))
    except Exception as error:  # various errors of a compiler or of its absence
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(
            f"--compile: torch cannot compile for {device} here ({reason}); run without --compile"
        ) from error
    for network in model.children():
        if next(network.parameters(), None) is not None:
            network.compile()
