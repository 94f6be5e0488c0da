"""Which device computes."""

from __future__ import annotations

import torch

from ct2pet.errors import Ct2PetError


def choose_device(name: str | None) -> str:
    """``name`` if this machine has it (Ct2PetError otherwise); without a name cuda, else cpu.

    mps only where asked for: what it offers of 3D networks depends on the versions of torch and macOS.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return "cuda" if available["cuda"] else "cpu"
    if not available.get(name, False):
        there = ", ".join(device for device, is_there in available.items() if is_there)
        raise Ct2PetError(f"-device {name}: torch finds no such device here; there is: {there}")
    return name
