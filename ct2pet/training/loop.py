"""The steps of one epoch: patches, augmentation, updates, averages."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Generator

import torch

from ct2pet import distributed
from ct2pet.training.augmentation import Augmenter
from ct2pet.training.data_loader import PatchBatch, PatchLoader, default_workers, prefetched
from ct2pet.training.log import Row
from ct2pet.training.optimization import Optimization


class TrainingLoop:
    """Makes one step with each batch of the loader. ``after_step`` is called with the number of each step after it.
    ``num_workers``: None: chosen by device."""

    def __init__(
        self,
        loader: PatchLoader,
        augmenter: Augmenter,
        optimization: Optimization,
        after_step: Callable[[int], None],
        num_workers: int | None,
    ) -> None:
        self.loader, self.augmenter = loader, augmenter
        self.optimization, self.after_step = optimization, after_step
        self.device = optimization.device
        if num_workers is None:
            num_workers = default_workers(self.device.type, distributed.local_world_size())
        self.num_workers = num_workers

    def run(self, steps: range, on_step: Callable[[], None] | None = None) -> Row:
        """Make the steps of these numbers; returns the mean of each part of the losses.

        ``on_step`` is called after each step. Raises TrainingError on losses that are not finite.
        """
        self.optimization.model.train()
        sums: dict[str, torch.Tensor] = {}
        counts: Counter[str] = Counter()  # not every step has every update
        with contextlib.closing(self._read_ahead(steps)) as batches:
            for step, batch in enumerate(batches, start=steps.start):
                losses = self.optimization.step(self._augmented(batch), step, batch.cases)
                self.after_step(step)
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0) + value
                counts.update(losses.keys())
                if on_step is not None:
                    on_step()
        self.optimization.finish()
        return {name: float(value) / counts[name] for name, value in sums.items()}

    def _read_ahead(self, steps: range) -> Generator[PatchBatch, None, None]:
        return prefetched(self.loader, steps, self.num_workers, pin=self.device.type == "cuda")

    def _augmented(self, batch: PatchBatch) -> dict[str, torch.Tensor]:
        """The batch on the device. Metal has no three-dimensional grid_sample for labels: the augmentation then runs on
        the CPU."""
        device = torch.device("cpu") if self.device.type == "mps" else self.device
        pinned = device.type == "cuda"
        source = {name: tensor.to(device, non_blocking=pinned) for name, tensor in batch.tensors.items()}
        tensors = self.augmenter(source, batch.seeds)
        return {name: self.optimization.model.squeezed(tensor.to(self.device)) for name, tensor in tensors.items()}
