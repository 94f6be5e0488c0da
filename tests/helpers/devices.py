"""A stand-in for a GPU: torch's device ``meta``, which has shapes and no values.

Whatever would let a CPU wait for a GPU (the value of a tensor, an index that depends on one, a copy to the CPU) is an
error on ``meta``; in CrossDeviceCopies copies to the CPU give zeros and are recorded (not in inference mode, where
torch does not divide ``to`` into simpler operations).
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class CrossDeviceCopies(TorchDispatchMode):
    """Inside the block, records the shapes of what is copied between the CPU and ``meta``."""

    def __init__(self):
        super().__init__()
        self.to_device, self.from_device = [], []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        options = options or {}
        if function is torch.ops.aten._to_copy.default:
            (source,) = arguments
            target = options.get("device") or source.device
            if source.device != target:
                return self._copy(source, target, options.get("dtype") or source.dtype)
        if function is torch.ops.aten.copy_.default:
            assert arguments[0].device == arguments[1].device, "a copy between the devices that is not recorded"
        return function(*arguments, **options)

    def _copy(self, source, target, dtype):
        (self.to_device if target.type == "meta" else self.from_device).append(tuple(source.shape))
        make = torch.empty if target.type == "meta" else torch.zeros
        return make(source.shape, dtype=dtype, device=target)
