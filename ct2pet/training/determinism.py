"""Deterministic algorithms and random numbers for bit-equal runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

import torch


@contextlib.contextmanager
def determinism(wanted: bool) -> Iterator[None]:
    """Inside the block only deterministic algorithms are used if ``wanted``, else the fastest ones.

    CUDA's matrix products are deterministic only with a workspace of fixed size (cuBLAS, "Results reproducibility").
    """
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(wanted or before)
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of torch's random numbers, for a checkpoint: of the CPU, and of a GPU, which draws those of
    dropout."""
    states = {"random": torch.get_rng_state()}
    return {**states, "random_cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_random_state(states: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Continue with the states of a checkpoint, which has none of a GPU where it was written without one."""
    torch.set_rng_state(states["random"].cpu())
    if device.type == "cuda" and "random_cuda" in states:
        torch.cuda.set_rng_state(states["random_cuda"].cpu(), device)
