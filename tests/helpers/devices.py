"""A stand-in for a GPU: torch's device ``meta``, which has shapes and no values.

What would let a CPU wait for the values of a GPU (``item``, an index that depends on values, a copy to the CPU) is an
error on ``meta``. CrossDeviceCopies records copies between the two devices; those to the CPU give zeros.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_FROM_NUMBERS = (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)


class CrossDeviceCopies(TorchDispatchMode):
    """Inside the block, records the shapes of what is copied between the CPU and ``meta``; not in inference mode, where
    torch does not divide ``to`` into simpler operations."""

    def __init__(self):
        super().__init__()
        self.to_device, self.from_device = [], []
        self._numbers = _FromNumbers(self.to_device)

    def __enter__(self):
        self._numbers.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._numbers.__exit__(*error)

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


class _FromNumbers(TorchFunctionMode):
    """Records tensors on ``meta`` that are made of numbers in Python, which are copied to a GPU."""

    def __init__(self, shapes):
        super().__init__()
        self.shapes = shapes

    def __torch_function__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        if function in _FROM_NUMBERS and result.device.type == "meta":
            self.shapes.append(tuple(result.shape))
        return result
