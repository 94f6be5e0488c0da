"""A fast validation on patches after every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch

from ct2pet import distributed
from ct2pet.models.base import Model, Synthesis
from ct2pet.planning.configuration import Sampling
from ct2pet.preprocessing import DistrictStore
from ct2pet.training.data_loader import BatchPlan, PatchLoader

_BATCHES = 8
_FEWEST = 2  # patches per batch; a CPU is much slower with one


class OnlineValidation:
    """The model's metrics over the same few patches of the validation cases in every epoch.

    They rank epochs (for checkpoint_best); reported results come from whole predicted cases.
    """

    def __init__(self, store: DistrictStore, cases: Sequence[str], model: Model) -> None:
        configuration = model.planned
        if not isinstance(model, Synthesis):  # its samples have the distribution of its training patches
            configuration = replace(configuration, sampling=Sampling(lesion_fraction=0.0))
        patches = _BATCHES * configuration.batch_size
        size = max(_FEWEST, configuration.batch_size)
        self.loader = PatchLoader(store, cases, configuration, model.fields, BatchPlan(size, seed=0))
        self.num_batches = patches // size

    @cached_property
    def batches(self) -> list[dict[str, torch.Tensor]]:
        """The patches, read at their first use: a validation of whole cases does not need them."""
        return [self.loader.batch(number).tensors for number in range(self.num_batches)]

    @torch.no_grad()
    def metrics(self, model: Model, device: torch.device) -> dict[str, float]:
        """The mean of each metric over all patches. Several processes share the work."""
        model.eval()
        sums: dict[str, list[float]] = {}
        scales: dict[str, float] = {}
        for batch in self.batches[distributed.rank() :: distributed.world_size()]:
            on_device = {name: model.squeezed(tensor.to(device)) for name, tensor in batch.items()}
            for name, mean in model.validation_step(on_device).items():
                total, weight = sums.get(name, [0.0, 0.0])
                sums[name], scales[name] = [total + mean.total, weight + mean.weight], mean.scale
        model.train()
        return _of_all_processes(sums, scales)


def _of_all_processes(sums: dict[str, list[float]], scales: dict[str, float]) -> dict[str, float]:
    """The names come from all processes, because some may have had no batch."""
    everywhere = distributed.all_gather_object(scales)
    scales = {name: scale for own in everywhere for name, scale in own.items()}
    numbers = distributed.all_reduce_sum([number for name in sorted(scales) for number in sums.get(name, [0.0, 0.0])])
    pairs = zip(numbers[::2], numbers[1::2])
    return {name: scales[name] * total / max(1, weight) for name, (total, weight) in zip(sorted(scales), pairs)}
