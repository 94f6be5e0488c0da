"""A quick look at the validation cases after every epoch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ct2pet import distributed
from ct2pet.models.base import Model
from ct2pet.planning.plans import Configuration, Sampling
from ct2pet.preprocessing import DistrictStore
from ct2pet.training.data_loader import PatchLoader

_BATCHES = 8
_FEWEST = 2  # patches at once: a CPU takes much longer for each where it has only one


class OnlineValidation:
    """The mean absolute error (SUV) inside the district, over the same few patches of the validation cases each time.

    It ranks epochs (for checkpoint_best); the numbers to report come from whole predicted cases.
    """

    def __init__(self, store: DistrictStore, cases: Sequence[str], configuration: Configuration) -> None:
        patches = _BATCHES * configuration.batch_size
        size = max(_FEWEST, configuration.batch_size)
        loader = PatchLoader(store, cases, configuration.patch_size, size, Sampling(lesion_fraction=0.0), seed=0)
        self.batches = [loader.batch(number).tensors for number in range(patches // size)]
        window = configuration.pet_normalization
        self.suv_per_unit = window.upper_suv - window.lower_suv

    @torch.no_grad()
    def mae_suv(self, model: Model, device: torch.device) -> float:
        """Mean absolute error in SUV over all district voxels of the patches. Several processes share the work."""
        model.eval()
        total, count = 0.0, 0.0
        for batch in self.batches[distributed.rank() :: distributed.world_size()]:
            mask = batch["mask"]
            fake_pet = model.translate_patches(batch["ct"].to(device)).float().cpu()
            total += float((fake_pet - batch["pet"]).abs()[mask].sum())
            count += int(mask.sum())
        total, count = distributed.all_reduce_sum([total, count])
        model.train()
        return self.suv_per_unit * total / max(1, count)
