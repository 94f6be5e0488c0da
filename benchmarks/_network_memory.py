"""Training steps of single networks, each in a process of its own, against the count of ``planning.network_size``.

Run by ``python benchmarks/memory_estimate.py --networks``. The parent process imports no torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from _measure import peak_mib, run_process

from ct2pet.planning import network_size
from ct2pet.planning.configuration import NetworkPlan
from ct2pet.planning.network_recipes import (
    PATCHGAN,
    RESIDUAL_ENCODER_UNET,
    SHARED_ENCODER,
    UNET,
    patchgan_arguments,
    shared_encoder_arguments,
    unet_arguments,
)
from ct2pet.planning.topology import Topology, unet_topology

STEPS = 2  # from the second one on the optimizer's moments are in memory
BYTES_PER_PARAMETER = {"Adam": 16, "SGD": 12}  # float32: weight, gradient, two moments or one
BYTES_PER_VALUE = 4
MAX_FEATURES, MAX_STAGES = 320, 5
# Features of the first stage, patch (voxels), batch, optimizer. glibc's malloc returns maps of more than 32 MiB, as
# those of the largest size, to the system when they are freed; smaller ones fragment the heap, which raises the peak.
SIZES = [
    (16, [48, 48, 48], 2, "Adam"),
    (32, [32, 32, 32], 2, "SGD"),
    (32, [128, 128], 8, "Adam"),
    (16, [80, 64, 64], 2, "Adam"),
]
LARGEST = SIZES[-1]
AT_THE_LARGEST = (
    *("PlainConvUNet", "PlainConvUNet, deep supervision", "PlainConvUNet, no norm"),
    *("ResidualEncoderUNet, deep s.", "SharedEncoderUNet, deep s."),
)


@dataclass(frozen=True)
class Network:
    """A class, its arguments for a patch and the features of the first stage, what differs from them, and the channels
    that it gives."""

    network_class: str
    arguments: Callable[[Sequence[int], int], dict[str, Any]]
    changes: dict[str, Any]
    out_channels: int | list[int] = 1


def _topology(patch_size: Sequence[int]) -> Topology:
    return unet_topology(patch_size, [1.0] * len(patch_size), MAX_STAGES)


def _plain(patch_size: Sequence[int], features: int) -> dict[str, Any]:
    return unet_arguments(_topology(patch_size), features, MAX_FEATURES)


def _residual(patch_size: Sequence[int], features: int) -> dict[str, Any]:
    return shared_encoder_arguments(_topology(patch_size), features, MAX_FEATURES)


def _patchgan(patch_size: Sequence[int], features: int) -> dict[str, Any]:
    return patchgan_arguments(patch_size, 4 * features)


def _encoder_of(
    arguments: Callable[[Sequence[int], int], dict[str, Any]],
) -> Callable[[Sequence[int], int], dict[str, Any]]:
    of_decoder = ("n_conv_per_stage_decoder", "deep_supervision")
    return lambda *size: {name: value for name, value in arguments(*size).items() if name not in of_decoder}


TWO_OUTPUTS = [1, 19]
SUPERVISED, UNSUPERVISED = {"deep_supervision": True}, {"deep_supervision": False}
NO_NORM, PLAIN = {"norm_op": None}, {"encoder_class": network_size.PLAIN_ENCODER}
NETWORKS = {
    "PlainConvUNet": Network(UNET, _plain, {}),
    "PlainConvUNet, deep supervision": Network(UNET, _plain, SUPERVISED),
    "PlainConvUNet, no norm": Network(UNET, _plain, NO_NORM),
    "ResidualEncoderUNet": Network(RESIDUAL_ENCODER_UNET, _residual, UNSUPERVISED),
    "ResidualEncoderUNet, deep s.": Network(RESIDUAL_ENCODER_UNET, _residual, SUPERVISED),
    "ResidualUNet": Network(network_size.RESIDUAL_UNET, _residual, UNSUPERVISED),
    "SharedEncoderUNet": Network(SHARED_ENCODER, _residual, UNSUPERVISED, TWO_OUTPUTS),
    "SharedEncoderUNet, deep s.": Network(SHARED_ENCODER, _residual, SUPERVISED, TWO_OUTPUTS),
    "SharedEncoderUNet, plain": Network(SHARED_ENCODER, _plain, PLAIN, TWO_OUTPUTS),
    "PlainConvEncoder": Network(network_size.PLAIN_ENCODER, _encoder_of(_plain), {}),
    "ResidualEncoder": Network(network_size.RESIDUAL_ENCODER, _encoder_of(_residual), {}),
    "PatchGAN, 4 times the features": Network(PATCHGAN, _patchgan, {}),
}


def counted_gib(network: Network, size: tuple[int, list[int], int, str]) -> float:
    """Weights, gradients, the optimizer's moments, and the values that autograd keeps."""
    features, patch_size, batch_size, optimizer = size
    arguments = {**network.arguments(patch_size, features), **network.changes}
    parameters, activations = network_size.count(network.network_class, arguments, patch_size, 1, network.out_channels)
    return (parameters * BYTES_PER_PARAMETER[optimizer] + activations * batch_size * BYTES_PER_VALUE) / 2**30


def peak_gib(device: str) -> float:
    """Of this process: on a CPU its resident memory, on a GPU torch's allocator and the context."""
    if device != "cuda":
        return peak_mib() / 2**10
    import torch

    free, total = torch.cuda.mem_get_info()
    return (torch.cuda.max_memory_reserved() + total - free - torch.cuda.memory_reserved()) / 2**30


def measure(network: Network, size: tuple[int, list[int], int, str], device: str) -> float:
    """In the child: the peak (GiB) of a few steps with the mean square of all outputs as loss."""
    import torch

    from ct2pet.networks import build_network

    features, patch_size, batch_size, optimizer_name = size
    arguments = {**network.arguments(patch_size, features), **network.changes}
    module = build_network(NetworkPlan(network.network_class, arguments), 1, network.out_channels).to(device)
    optimizers = {"Adam": torch.optim.Adam, "SGD": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.99, nesterov=True)}
    optimizer = optimizers[optimizer_name](module.parameters())
    for _ in range(STEPS):
        optimizer.zero_grad()
        outputs = module(torch.randn(batch_size, 1, *patch_size, device=device))
        sum(output.square().mean() for output in _tensors(outputs)).backward()
        optimizer.step()
    return peak_gib(device)


def _tensors(outputs: Any) -> list[Any]:
    return [tensor for part in outputs for tensor in _tensors(part)] if isinstance(outputs, list) else [outputs]


def print_networks(device: str, runtime_gib: float) -> None:
    """Counted and measured memory, and the factor that the estimate needs: what is measured without the estimate's
    ``runtime_gib`` (Python and torch), divided by what is counted."""
    print(f"{'network':32s}  features  patch     batch  optimizer  counted [GiB]  measured [GiB]  factor needed")
    for name, network in NETWORKS.items():
        for number, size in enumerate(SIZES):
            if size == LARGEST and name not in AT_THE_LARGEST:
                continue
            features, patch_size, batch_size, optimizer = size
            child = [sys.executable, __file__, name, str(number), device]
            counted, measured = counted_gib(network, size), run_process(child).told["peak_gib"]
            what = f"{name:32s}  {features:8d}  {'x'.join(map(str, patch_size)):8s}  {batch_size:5d}  {optimizer:9s}"
            factor = (measured - runtime_gib) / counted
            print(f"{what}  {counted:13.2f}  {measured:14.2f}  {factor:13.2f}", flush=True)


if __name__ == "__main__":
    chosen, number_of_size, chosen_device = sys.argv[1:]
    print(json.dumps({"peak_gib": measure(NETWORKS[chosen], SIZES[int(number_of_size)], chosen_device)}))
