"""Compilation of networks by torch.compile."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ct2pet.errors import TrainingError
from ct2pet.models.base import Model
from ct2pet.planning.configuration import Configuration

GRAPHS = "reduce-overhead"  # torch's name for CUDA graphs
_VOXELS_OF_A_SMALL_BATCH = 2**17  # 4 patches of 32 cubed; not measured on a GPU so far


def compile_mode(device: torch.device, planned: Configuration) -> str | None:
    """The mode of torch.compile: CUDA graphs (GRAPHS) for small batches on a GPU, where launching the kernels takes
    longer than their computation; else None."""
    voxels = planned.batch_size * math.prod(planned.patch_size)
    return GRAPHS if device.type == "cuda" and voxels <= _VOXELS_OF_A_SMALL_BATCH else None


def compile_networks(model: Model, device: torch.device) -> Callable[[], None]:
    """Compile each network of ``model`` by torch.compile at its first use. The names of its weights are not changed.

    Returns the function to call before each training step: with CUDA graphs the outputs of the step before may be
    overwritten from then on.

    Raises TrainingError where torch cannot compile for this device: a CPU needs a C++ compiler, a GPU Triton.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=device))
    except Exception as error:  # various errors of a compiler or of its absence
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(
            f"--compile: torch cannot compile for {device} here ({reason}); run without --compile"
        ) from error
    mode = compile_mode(device, model.planned)
    for network in model.children():
        if next(network.parameters(), None) is not None:
            network.compile(mode=mode)
    return torch.compiler.cudagraph_mark_step_begin if mode == GRAPHS else lambda: None
