"""Errors of torch for lack of memory, or of deterministic operations, as one line with a remedy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from ct2pet.errors import Ct2PetError

_OF_THE_CPU = ("DefaultCPUAllocator", "not enough memory")
_OF_THE_GPU = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED")  # by cuDNN and cuBLAS
_NOT_DETERMINISTIC = "does not have a deterministic implementation"


@contextlib.contextmanager
def reporting_out_of_memory(device: str | torch.device, what: str, advice: str) -> Iterator[None]:
    """Inside the block a shortage of memory of ``device`` becomes a Ct2PetError of one line, with ``advice``; so does
    an operation without a deterministic implementation."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if is_shortage(error):
            raise Ct2PetError(f"{what}: out of memory on {_described(torch.device(device))}; {advice}") from error
        if _NOT_DETERMINISTIC in str(error):
            name = str(error).split()[0]
            message = f"{what}: {name} has no deterministic implementation on {device}; run without --deterministic"
            raise Ct2PetError(message) from error
        raise


def is_shortage(error: Exception) -> bool:
    """Whether an error is caused by a lack of memory, of the CPU or of a GPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error) for words in (*_OF_THE_CPU, *_OF_THE_GPU))


def _described(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    free, total = (size / 2**30 for size in torch.cuda.mem_get_info(device))
    held = torch.cuda.max_memory_reserved(device) / 2**30
    return f"{device} ({total:.1f} GiB; this process held {held:.1f} GiB, now {free:.1f} GiB are free)"
