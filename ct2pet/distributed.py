"""The processes that train one network together: those that torchrun started, or this one alone.

Everything here is a no-op where this process is alone, so that its users ask for no mode. Each process takes its share
of every batch; DistributedDataParallel averages the gradients in buckets while the backward pass computes others.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.elastic.multiprocessing.errors import get_error_handler
from torch.nn.parallel import DistributedDataParallel

from ct2pet.errors import TrainingError

_PATIENCE = timedelta(days=30)  # torchrun ends those who wait when another process dies
_SECONDS_TO_BE_ENDED = 10.0
_patient_group: Any = None  # of CPU messages, whose senders may have long work between them


def launched_by_torchrun() -> bool:
    """Whether torchrun started this process among others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextlib.contextmanager
def process_group(device: str) -> Iterator[str]:
    """Inside the block the processes that torchrun started work together, by NCCL for ``cuda`` and by gloo for
    ``cpu``; yields this process's own device (``cuda:1``). Does nothing where torchrun started none.

    Raises TrainingError for a device that the processes cannot share or that this machine lacks.
    """
    global _patient_group
    if not launched_by_torchrun():
        yield device
        return
    own = _own_device(device, int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    _patient_group = distributed.new_group(backend="gloo", timeout=_PATIENCE)
    try:
        yield own
        barrier()
    except Exception as error:
        get_error_handler().record_exception(error)  # torchrun shows it as the cause
        raise
    finally:
        _patient_group = None
    distributed.destroy_process_group()  # not after an error: it would wait for the others


def _own_device(device: str, number: int) -> str:
    if device == "cpu":
        return device
    if device != "cuda":
        raise TrainingError(f"torchrun cannot share the device {device} among processes; there are cuda and cpu")
    there = torch.cuda.device_count()
    if number >= there:
        raise TrainingError(f"torchrun started more processes here than there are GPUs: --nproc_per_node {there}")
    torch.cuda.set_device(number)
    return f"cuda:{number}"


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    """Around a message between the processes. One that has lost another gives torchrun the time to end it, so that
    the other's error is seen as the cause."""
    try:
        yield
    except RuntimeError as error:
        time.sleep(_SECONDS_TO_BE_ENDED)
        raise TrainingError(f"another process of this training ended; its own output says why ({error})") from error


def world_size() -> int:
    """How many processes work together."""
    return distributed.get_world_size(_patient_group) if _patient_group is not None else 1


def local_world_size() -> int:
    """How many of them share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world_size())) if world_size() > 1 else 1


def rank() -> int:
    """The number of this process: 0, 1, ..."""
    return distributed.get_rank(_patient_group) if _patient_group is not None else 0


def is_main_process() -> bool:
    """Whether this process writes the files: the first one does."""
    return rank() == 0


def batch_share(batch_size: int) -> slice:
    """Which samples of each batch are this process's. Raises TrainingError where the shares would not be equal."""
    each, left = divmod(batch_size, world_size())
    if left:
        fitting = [n for n in range(1, batch_size + 1) if batch_size % n == 0]
        raise TrainingError(
            f"a batch of {batch_size} cannot be shared equally by {world_size()} processes: start "
            f"{' or '.join(map(str, fitting))} of them, or give the plans another batch_size or accumulate_batches"
        )
    return slice(rank() * each, (rank() + 1) * each)


def _is_of_messages(error: RuntimeError) -> bool:
    """Whether an error of a backward pass comes from the messages to other processes."""
    return isinstance(error, distributed.DistError) or any(name in str(error) for name in ("gloo", "NCCL"))


class GradientMean:
    """The backward passes of one optimizer, after which its gradients are means over the processes.

    DistributedDataParallel usually wraps a network, and expects one forward pass of it before each backward pass. Here
    it wraps the loss of an update: a step of a GAN runs several networks, some more than once and some frozen, and
    which of them an update trains is what its optimizer says. Parameters that a loss does not reach keep no gradient.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._loss: DistributedDataParallel | None = None
        if world_size() > 1 and parameters:
            self._loss = DistributedDataParallel(_Loss(parameters), find_unused_parameters=True)

    def backward(self, loss: torch.Tensor, last: bool = True) -> None:
        """Add the gradients of ``loss``; those of several losses become means when the ``last`` one is added."""
        if self._loss is None:
            loss.backward()
            return
        with contextlib.nullcontext() if last else self._loss.no_sync():
            through = self._loss(loss)
            try:
                through.backward()
            except RuntimeError as error:
                if not _is_of_messages(error):
                    raise
                with _talking():
                    raise


class _Loss(nn.Module):
    """The loss as it is, and the parameters that it trains."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.parameters_of_optimizer = nn.ParameterList(parameters)

    def forward(self, loss: torch.Tensor) -> torch.Tensor:
        return loss


@torch.no_grad()
def all_reduce_mean(tensors: Sequence[torch.Tensor]) -> None:
    """Replace each tensor (float, all of one device, of the same shapes in all processes) by the processes' mean."""
    if world_size() == 1 or not tensors:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with _talking():
        distributed.all_reduce(flat)
    flat /= world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(mean.view_as(tensor))


@torch.no_grad()
def share_of_mean(weight: torch.Tensor) -> torch.Tensor | float:
    """``weight`` (not negative) by its mean over the processes, 1 where they have none: the factor that makes the mean
    over the processes of something that is itself a mean with this weight the mean over the whole batch."""
    if world_size() == 1:
        return 1.0
    mean = weight.to(torch.get_default_dtype(), copy=True)
    all_reduce_mean([mean])
    return torch.where(mean > 0, weight / mean, torch.ones_like(mean))


def all_reduce_sum(numbers: Sequence[float]) -> list[float]:
    """The sum over the processes of each number."""
    if world_size() == 1:
        return list(numbers)
    sums = torch.tensor(numbers, dtype=torch.float64)
    with _talking():
        distributed.all_reduce(sums, group=_patient_group)
    return sums.tolist()


def all_gather(tensor: torch.Tensor) -> torch.Tensor:
    """The tensors (all of one shape) of all processes, one after another along the first axis."""
    if world_size() == 1:
        return tensor
    parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world_size())]
    with _talking():
        distributed.all_gather([part.view(torch.uint8) for part in parts], tensor.contiguous().view(torch.uint8))
    return torch.cat(parts)


def all_gather_object(value: Any) -> list[Any]:
    """The values of all processes in their order, in all of them; waits as long as it takes."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    with _talking():
        distributed.all_gather_object(values, value, group=_patient_group)
    return values


def broadcast_object(value: Any) -> Any:
    """The main process's value, in all processes."""
    return all_gather_object(value)[0]


def barrier() -> None:
    """Until all processes are here."""
    all_gather_object(None)
