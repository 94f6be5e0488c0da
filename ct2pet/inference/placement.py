"""What a prediction keeps in the memory of a GPU.

As in nnU-Net, everything is computed on the GPU where its memory suffices; after an out-of-memory error images,
averages and results are kept on the CPU, and after another one windows are computed one by one.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from ct2pet.inference.out_of_memory import is_shortage

_LOG = logging.getLogger(__name__)
_WINDOWS_ON_A_CPU = 2  # faster than 1 and than 8
_VOXELS_ON_A_CPU = 2**19  # two windows of 64 cubed; of 96 cubed one is faster, in less memory
_VOXELS_ON_CUDA = 2**22  # 128 windows of 32 cubed; assumed to use a whole GPU, not measured
_VOXELS_ELSEWHERE = 2**20  # devices that do not report their free memory
_SHARE_FOR_VOLUMES = 0.5  # of a GPU's free memory; the rest is for the networks' activations
_SHARE_FOR_WINDOWS = 0.5  # of the memory that the volumes leave free; the rest is for the convolutions' own buffers
_CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass(frozen=True)
class Placement:
    """``volumes``: the device of images, averages and results. ``memory``: for the activations of the windows that are
    computed together, in bytes."""

    volumes: torch.device
    memory: float = math.inf


def placements(device: torch.device, volume_bytes: int) -> list[Placement]:
    """The placements to try one after another, each with less memory on ``device``. ``volume_bytes``: the size of
    images, averages and results."""
    if device.type != "cuda":
        return [Placement(_CPU)]
    free = free_bytes(device)
    fallback = [Placement(_CPU, _SHARE_FOR_WINDOWS * free), Placement(_CPU, 0)]
    if volume_bytes > _SHARE_FOR_VOLUMES * free:
        return fallback
    return [Placement(device, _SHARE_FOR_WINDOWS * (free - volume_bytes)), *fallback]


def free_bytes(device: torch.device) -> int:
    """The memory of a GPU that this process can use: free memory, and what torch holds without using it."""
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def with_less_memory(work: Callable[[Placement], T], choices: Sequence[Placement]) -> T:
    """The result of ``work`` with the first of the placements that does not end in an out-of-memory error.

    Every other error, and that of the last placement, is raised.
    """
    for placement, following in itertools.pairwise(choices):
        found = _unless_short(work, placement)
        if found is not None:
            return found
        # Here the attempt's tensors are free: the traceback of its error has ended.
        on_cpu = placement.volumes != following.volumes
        what = "images and averages are kept on the CPU" if on_cpu else "windows are computed one by one"
        _LOG.warning("the memory of the device is too small for this prediction: %s, which is slower", what)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
    return work(choices[-1])


def _unless_short(work: Callable[[Placement], T], placement: Placement) -> T | None:
    try:
        return work(placement)
    except (RuntimeError, MemoryError) as error:
        if not is_shortage(error):
            raise
        return None


def windows_at_once(
    patch_size: Sequence[int], device: str | torch.device, memory: float, window_bytes: int | None
) -> int:
    """The number of windows that a device computes together. ``memory``: see Placement. ``window_bytes``: of the
    activations of one window; None where unknown."""
    voxels, kind = math.prod(patch_size), torch.device(device).type
    if kind == "cpu":
        return max(1, min(_WINDOWS_ON_A_CPU, _VOXELS_ON_A_CPU // voxels))
    number = (_VOXELS_ON_CUDA if kind == "cuda" else _VOXELS_ELSEWHERE) // voxels
    if window_bytes and memory < number * window_bytes:
        number = int(memory // window_bytes)
    return max(1, number)
