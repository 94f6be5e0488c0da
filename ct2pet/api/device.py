"""The device to compute on."""

from __future__ import annotations

import torch

from ct2pet.errors import Ct2PetError


def choose_device(name: str | None) -> str:
    """``name`` if this machine has it (Ct2PetError otherwise); without a name cuda, else cpu.

    mps must be chosen by name: its support of 3D networks depends on the versions of torch and macOS.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return "cuda" if available["cuda"] else "cpu"
    if not available.get(name, False):
        there = ", ".join(device for device, is_there in available.items() if is_there)
        raise Ct2PetError(f"-device {name}: not available to torch on this machine; available: {there}")
    return name


def choose_devices(name: str | None, num_gpus: int) -> list[str]:
    """The device of ``choose_device``, or ``num_gpus`` GPUs (``cuda:0``, ...). Raises Ct2PetError where there are
    fewer."""
    device = choose_device(name)
    if num_gpus == 1:
        return [device]
    there = torch.cuda.device_count() if device == "cuda" else 0
    if num_gpus > there:
        raise Ct2PetError(
            f"-num_gpus {num_gpus}: torch finds {there or 'no'} GPU(s) here; see -device and CUDA_VISIBLE_DEVICES"
        )
    return [f"cuda:{number}" for number in range(num_gpus)]
