"""Memory of a training, estimated from the plan: counted layer by layer, without building a network.

Counted are weights, gradients, the two moments of Adam, and the activations that autograd keeps; one factor, fitted to
benchmarks/memory_estimate.py, covers all other memory of a step: gradients of activations, the discriminator's second
pass, the convolutions' own buffers, the sampling of a warped image. Steps of batch 1 may need up to 0.25 GiB more on a
CPU, where torch uses other kernels for small maps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ct2pet.dataset.fields import Fields
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.network_size import count
from ct2pet.planning.requirements import NetworkNeed, Requirements

_GIB = 2.0**30
_BYTES = 4  # float32; bf16 autocast needs less
_PER_PARAMETER = 4 * _BYTES  # weight, gradient, two moments
_RUNTIME_GIB = {"cpu": 0.38, "cuda": 0.6}  # interpreter with torch; on a GPU its context and libraries' workspaces
_FACTOR = {"cpu": 1.27, "cuda": 1.27}  # measured on a CPU; that of a GPU is assumed to be the same


def estimate_training_gib(
    configuration: Configuration, fields: Fields, requirements: Requirements, device: str
) -> float:
    """Memory (GiB) of one training process on ``device`` (``cuda``, or any other name for main memory).

    For a method of several stages, the memory of the largest one. Raises PlansError where the plan has a network that
    the planner does not make, or no slices for a method that needs them.
    """
    return max(_of_one_training(configuration, fields, needs, device) for needs in requirements.trainings)


def _of_one_training(configuration: Configuration, fields: Fields, needs: Requirements, device: str) -> float:
    kind = "cuda" if device == "cuda" else "cpu"
    planned = configuration.as_seen_in(needs.dimensions)
    total = 0.0
    for _, need, parameters, activations in _counted(planned, fields, needs):
        held = activations * planned.batch_size * need.passes
        total += parameters * need.copies * _PER_PARAMETER + held * _BYTES
    return _RUNTIME_GIB[kind] + _FACTOR[kind] * total / _GIB


def estimate_window_bytes(
    configuration: Configuration, fields: Fields, requirements: Requirements, predicts: Callable[[str], bool]
) -> int:
    """Upper limit of the memory (bytes, float32) of one window in a prediction: the activations that a training keeps,
    of the networks (by name) that predict. A prediction keeps fewer of them.

    Raises PlansError as ``estimate_training_gib``.
    """
    planned = configuration.as_seen_in(requirements.dimensions)
    counted = _counted(planned, fields, requirements)
    return _BYTES * sum(activations for name, _, _, activations in counted if predicts(name))


def _counted(
    planned: Configuration, fields: Fields, needs: Requirements
) -> Iterator[tuple[str, NetworkNeed, int, int]]:
    """Each network of a training with its parameters and its activations for one sample."""
    patch_size = planned.patch_size[-needs.dimensions :]
    for name, need in needs.networks.items():
        channels = need.in_channels(fields, planned, needs.dimensions), need.out_channels(fields, needs.dimensions)
        network = planned.network(need.role(planned.networks))
        yield name, need, *count(network.network_class, network.arguments, patch_size, *channels)
