"""Random patches from a district's store, batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from batchgenerators.dataloading.data_loader import SlimDataLoaderBase

from ct2pet.errors import TrainingError
from ct2pet.parallel import default_processes
from ct2pet.planning.plans import Sampling
from ct2pet.preprocessing import DistrictStore, StoredCase
from ct2pet.preprocessing.normalization import AIR
from ct2pet.volume import Box

_Place = tuple[str, list[int]]


@dataclass(frozen=True)
class PatchBatch:
    """ct, pet (N, 1, *patch) float32 and mask (N, 1, *patch) bool, unpaired ones with pet_mask too, and a seed for the
    augmentation of each sample. ``cases``: those that the CTs (of unpaired ones the PETs too) are from, of all samples
    of this number, also where these are a share of them."""

    tensors: dict[str, torch.Tensor]
    cases: list[str]
    seeds: list[int]

    def pinned(self) -> PatchBatch:
        """The same in memory from which a GPU copies while it computes."""
        return replace(self, tensors={name: tensor.pin_memory() for name, tensor in self.tensors.items()})


class PatchLoader(SlimDataLoaderBase):
    """Batches of patches. Batch number n depends on the seed and on n alone, so that a resumed training sees the
    batches that an uninterrupted one would have seen.

    A patch is centred near a random voxel of the district (as far as it fits into the stored box), or near a lesion
    voxel with the plan's ``lesion_fraction``. ``margin`` voxels come along on each side of it for the augmentation.
    What lies outside of the box is air, without PET and mask. Unless ``paired``, PET comes with its own ``pet_mask``
    from another place, mostly of another case. ``share``: read these samples of each batch alone.
    """

    def __init__(
        self,
        store: DistrictStore,
        cases: Sequence[str],
        patch_size: Sequence[int],
        batch_size: int,
        sampling: Sampling,
        seed: int,
        margin: Sequence[int] = (0, 0, 0),
        paired: bool = True,
        share: slice = slice(None),
    ) -> None:
        if not cases:
            raise TrainingError(f"{store.folder}: no training case contains this district")
        super().__init__(None, batch_size)
        self.cases = {case: store.open(case) for case in sorted(cases)}
        self.with_lesions = [name for name, case in self.cases.items() if len(case.lesion_voxels)]
        self.patch_size = tuple(patch_size)
        self.margin = tuple(margin)
        self.sampling = sampling
        self.seed = seed
        self.paired = paired
        self.share = share

    def generate_train_batch(self) -> PatchBatch:
        raise NotImplementedError("batches are numbered: use batch(number)")

    def batch(self, number: int) -> PatchBatch:
        """Batch ``number`` (0, 1, ...)."""
        random = np.random.default_rng([self.seed, number])
        places = self._places(random)
        tensors = self._read(places)
        if not self.paired:
            others = self._places(random)
            unpaired = self._read(others)
            tensors["pet"], tensors["pet_mask"] = unpaired["pet"], unpaired["mask"]
            places += others
        seeds = [int(random.integers(2**62)) for _ in range(self.batch_size)]
        return PatchBatch(tensors, [name for name, _ in places], seeds[self.share])

    def _places(self, random: np.random.Generator) -> list[_Place]:
        """Where the patches of a batch are: case and first voxel."""
        return [self._place(random) for _ in range(self.batch_size)]

    def _place(self, random: np.random.Generator) -> _Place:
        on_lesion = self.with_lesions and random.random() < self.sampling.lesion_fraction
        name = str(random.choice(self.with_lesions if on_lesion else list(self.cases)))
        case = self.cases[name]
        voxels = case.lesion_voxels if on_lesion else case.foreground
        centre = voxels[random.integers(len(voxels))]
        return name, [_start(int(c), p, n, random) for c, p, n in zip(centre, self.patch_size, case.shape)]

    def _read(self, places: Sequence[_Place]) -> dict[str, torch.Tensor]:
        size = [p + 2 * m for p, m in zip(self.patch_size, self.margin)]
        patches = [
            read_patch(self.cases[name], [a - m for a, m in zip(start, self.margin)], size)
            for name, start in places[self.share]
        ]
        stacked = {key: torch.from_numpy(np.stack([patch[key] for patch in patches])[:, None]) for key in patches[0]}
        return {key: image if key == "mask" else image.float() for key, image in stacked.items()}


def _start(centre: int, patch: int, length: int, random: np.random.Generator) -> int:
    """The patch's first voxel along one axis: ``centre`` somewhere in its middle half, inside the box if it fits."""
    start = centre - patch // 2 + int(random.integers(-(patch // 4), patch // 4 + 1))
    if patch >= length:
        return int(random.integers(length - patch, 1))
    return int(np.clip(start, 0, length - patch))


def read_patch(case: StoredCase, start: Sequence[int], size: Sequence[int]) -> dict[str, np.ndarray]:
    """A patch of a stored case; where it leaves the stored box it is air, without PET and mask."""
    low = [max(0, a) for a in start]
    high = [min(n, a + p) for n, a, p in zip(case.shape, start, size)]
    inside = case.read(Box(tuple(low), tuple(high)))  # type: ignore[arg-type]
    box = [[a - first, a - first + n] for a, n, first in zip(start, size, low)]
    air = {"ct": AIR, "pet": 0, "mask": False}
    return {key: crop_and_pad_nd(inside[key], box, pad_value=value) for key, value in air.items()}


def prefetched(
    loader: PatchLoader, numbers: Sequence[int], num_workers: int, pin: bool = False
) -> Generator[PatchBatch, None, None]:
    """The batches of these ``numbers`` in order, read ahead by ``num_workers`` threads (0: by the caller itself);
    ``pin``: see PatchBatch.

    Threads are enough: decompression and the copies release Python's lock.
    """

    def read(number: int) -> PatchBatch:
        return loader.batch(number).pinned() if pin else loader.batch(number)

    if num_workers < 1:
        yield from map(read, numbers)
        return
    waiting: deque = deque()
    remaining = iter(numbers)
    with ThreadPoolExecutor(num_workers) as pool:
        try:
            for number in remaining:
                waiting.append(pool.submit(read, number))
                if len(waiting) > 2 * num_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def default_workers(device: str, trainings: int = 1) -> int:
    """Loader threads: one beside a CPU training (it needs the cores itself), up to 8 to feed a GPU. ``trainings`` share
    this machine's cores."""
    return 1 if device == "cpu" else min(8, max(1, default_processes() // trainings - 1))
