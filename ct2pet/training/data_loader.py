"""Random patches from a district's store, batch by batch."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import insert_crop_into_image

from ct2pet.dataset import Field, Fields
from ct2pet.dataset.fields import LESIONS, MASK
from ct2pet.errors import TrainingError
from ct2pet.parallel import default_processes
from ct2pet.planning.configuration import Configuration
from ct2pet.preprocessing import DistrictStore, StoredCase
from ct2pet.preprocessing.normalization import outside_value
from ct2pet.training.lesion_centres import lesion_centres
from ct2pet.volume import Box

_log = logging.getLogger(__name__)
OTHER_PLACE = "target_mask"  # unpaired batches: the district mask in the targets' patch


@dataclass(frozen=True)
class Place:
    """The position of a patch: the case and its first voxel (Z, Y, X)."""

    case: str
    start: list[int]


@dataclass(frozen=True)
class PatchBatch:
    """Tensors by field: images (N, 1, *patch) float32, label maps (N, 1, *patch) int64, conditions (N) int64, and
    ``mask`` (N, 1, *patch) bool, with ``target_mask`` for unpaired ones and ``lesions`` where they are planned; and a
    seed for the augmentation of each sample. ``cases``: the cases of the inputs (and of the targets for unpaired ones)
    of the whole batch, also where these are a share of its samples."""

    tensors: dict[str, torch.Tensor]
    cases: list[str]
    seeds: list[int]

    def pinned(self) -> PatchBatch:
        """The batch in pinned memory, which a GPU can copy from while it computes."""
        return replace(self, tensors={name: tensor.pin_memory() for name, tensor in self.tensors.items()})


@dataclass(frozen=True)
class BatchPlan:
    """The settings of batches. ``margin``: additional voxels (Z, Y, X) on each side of a patch for the augmentation.
    ``margin_of``: how many of these are read for the sample of a seed (None: all); the others have the value outside
    the image. Unless ``paired``, targets have another random position, mostly in another case, with their own mask.
    ``with_lesions``: batches contain the masks of the lesions. ``share``: read only these samples of each batch."""

    batch_size: int
    seed: int
    margin: Sequence[int] = (0, 0, 0)
    margin_of: Callable[[int], Sequence[int]] | None = None
    paired: bool = True
    with_lesions: bool = False
    share: slice = field(default_factory=lambda: slice(None))


class PatchLoader:
    """Batches of patches. Batch number n depends only on the seed and on n, so that a resumed training has the same
    batches as an uninterrupted one.

    A patch is centred near a random voxel of the district (as far as it fits into the stored box), or near a voxel of a
    lesion or of a label as often as planned; with ``centred`` the centre of the patch is the centre of the largest
    lesion. Voxels outside the box have the value outside of images.
    """

    def __init__(
        self, store: DistrictStore, cases: Sequence[str], configuration: Configuration, fields: Fields, plan: BatchPlan
    ) -> None:
        if not cases:
            raise TrainingError(f"{store.folder}: no training case contains this district")
        self.cases = {case: store.open(case) for case in sorted(cases)}
        self.fields, self.plan = fields, plan
        self.patch_size, self.sampling = tuple(configuration.patch_size), configuration.sampling
        self.padding = {one.name: _padding(one, configuration) for one in (*fields.inputs, *fields.targets)}
        self.with_lesions = [name for name, case in self.cases.items() if len(case.lesion_voxels)]
        self.with_labels = [name for name, case in self.cases.items() if any(case.label_voxels.values())]
        self.classes = {one.name: self._classes(one, store) for one in fields.conditions}
        balanced = self.classes.get(self.sampling.balanced_over, {})
        self._groups = [[case for case in balanced if balanced[case] == k] for k in sorted({*balanced.values()})]
        self._centres = {
            name: lesion_centres(self.cases[name]) for name in self.with_lesions if self.sampling.lesions_centred
        }

    def _classes(self, condition: Field, store: DistrictStore) -> dict[str, int]:
        classes = {}
        for name, case in self.cases.items():
            value = case.conditions.get(condition.name, "")
            if value not in condition.labels:
                known = ", ".join(condition.labels)
                raise TrainingError(f"{store.folder}: {name} has the {condition.name} {value!r}; known are {known}")
            classes[name] = condition.labels[value]
        return classes

    def check_classes(self) -> None:
        """Raise TrainingError where a class of a condition has no case, so that images of it cannot be learned."""
        for condition in self.fields.conditions:
            missing = [
                name for name, label in condition.labels.items() if label not in self.classes[condition.name].values()
            ]
            if missing:
                raise TrainingError(
                    f"no training case has the {condition.name} {missing[0]!r}; add cases of this class, or remove it "
                    "from dataset.json"
                )

    def check_lesions(self, training: str) -> None:
        """Raise TrainingError where no case has a mask of lesions, and warn where all masks are empty in the district,
        so that no lesion can be learned. ``training``: its name in the messages."""
        if not any(case.has_lesions for case in self.cases.values()):
            raise TrainingError(
                f"{training}: no training case has a mask of lesions (lesionsTr), which this method needs"
            )
        if not self.with_lesions:
            _log.warning(
                "%s: no training case has a lesion in this district: the model will not learn lesions", training
            )

    def batch(self, number: int) -> PatchBatch:
        """Batch ``number`` (0, 1, ...)."""
        random = np.random.default_rng([self.plan.seed, number])
        places = self._places(random)
        others = [] if self.plan.paired else self._places(random)
        seeds = [int(random.integers(2**62)) for _ in range(self.plan.batch_size)]
        inputs, targets = self.fields.inputs, self.fields.targets
        if self.plan.paired:
            tensors = self._read(places, seeds, (*inputs, *targets))
        else:
            tensors, unpaired = self._read(places, seeds, inputs), self._read(others, seeds, targets)
            tensors |= {**{one.name: unpaired[one.name] for one in targets}, OTHER_PLACE: unpaired[MASK]}
        return PatchBatch(tensors, [place.case for place in (*places, *others)], seeds[self.plan.share])

    def _places(self, random: np.random.Generator) -> list[Place]:
        return [self._place(random) for _ in range(self.plan.batch_size)]

    def _place(self, random: np.random.Generator) -> Place:
        if self._groups:
            name, voxels = self._balanced(random)
        elif self.with_lesions and random.random() < self.sampling.lesion_fraction:
            name = str(random.choice(self.with_lesions))
            voxels = self._lesion_places(name)
        elif self.sampling.label_fraction > 0 and self.with_labels and random.random() < self._label_share:
            name = str(random.choice(self.with_labels))
            voxels = _of_random_label(self.cases[name], random)
        else:
            name = str(random.choice(list(self.cases)))
            voxels = self.cases[name].foreground
        centre = voxels[random.integers(len(voxels))]
        if voxels is self._centres.get(name):
            return Place(name, [math.floor(c - p / 2 + 1) for c, p in zip(centre, self.patch_size)])
        shape = self.cases[name].shape
        return Place(name, [_start(int(c), p, n, random) for c, p, n in zip(centre, self.patch_size, shape)])

    @property
    def _label_share(self) -> float:
        """The share of label patches among those not centred on a lesion."""
        others = 1 - (self.sampling.lesion_fraction if self.with_lesions else 0.0)
        return self.sampling.label_fraction / others if others > 0 else 0.0

    def _balanced(self, random: np.random.Generator) -> tuple[str, np.ndarray]:
        """A case of a random class and its voxels to centre on. The class is chosen first, because cases of one class
        may have no lesions."""
        name = str(random.choice(self._groups[int(random.integers(len(self._groups)))]))
        case = self.cases[name]
        on_lesion = len(case.lesion_voxels) and random.random() < self.sampling.lesion_fraction
        return name, self._lesion_places(name) if on_lesion else case.foreground

    def _lesion_places(self, name: str) -> np.ndarray:
        return self._centres.get(name, self.cases[name].lesion_voxels)

    def _read(self, places: Sequence[Place], seeds: Sequence[int], fields: Sequence[Field]) -> dict[str, torch.Tensor]:
        own, share = places[self.plan.share], seeds[self.plan.share]
        shape = [len(own), 1, *(p + 2 * m for p, m in zip(self.patch_size, self.plan.margin))]
        arrays = {
            one.name: np.full(shape, self.padding[one.name], np.int64 if one.rules.is_labels else np.float32)
            for one in fields
        }
        arrays |= {name: np.zeros(shape, bool) for name in (MASK, *([LESIONS] if self.plan.with_lesions else []))}
        for number, (place, seed) in enumerate(zip(own, share)):
            patch = {name: array[number, 0] for name, array in arrays.items()}
            needed = self.plan.margin_of(seed) if self.plan.margin_of else self.plan.margin
            inner = tuple(slice(m - n, m + p + n) for m, n, p in zip(self.plan.margin, needed, self.patch_size))
            start = [a - n for a, n in zip(place.start, needed)]
            read_patch(self.cases[place.case], start, {name: array[inner] for name, array in patch.items()})
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        classes = {name: torch.tensor([of[place.case] for place in own]) for name, of in self.classes.items()}
        return {**tensors, **classes}


def _padding(one: Field, configuration: Configuration) -> float:
    if one.rules.is_labels:
        return one.rules.outside
    return outside_value(one.rules.outside, configuration.normalization[one.name])


def _of_random_label(case: StoredCase, random: np.random.Generator) -> np.ndarray:
    """The voxels of a random label of a random label map of the case."""
    lists = [voxels for labels in case.label_voxels.values() for voxels in labels.values()]
    return lists[int(random.integers(len(lists)))]


def _start(centre: int, patch: int, length: int, random: np.random.Generator) -> int:
    """The patch's first voxel along one axis: ``centre`` is at a random position in its middle half; inside the box if
    possible."""
    start = centre - patch // 2 + int(random.integers(-(patch // 4), patch // 4 + 1))
    if patch >= length:
        return int(random.integers(length - patch, 1))
    return int(np.clip(start, 0, length - patch))


def read_patch(case: StoredCase, start: Sequence[int], patch: Mapping[str, np.ndarray]) -> None:
    """Fill the arrays ``patch`` (Z, Y, X; by field, and the masks), all of one shape, with the patch of a stored case
    that begins at the voxel ``start``. Outside the stored box, and of lesions that a case does not have, their values
    are unchanged."""
    size = patch[MASK].shape
    low = [max(0, a) for a in start]
    high = [min(n, a + p) for n, a, p in zip(case.shape, start, size)]
    inside = case.read(Box(tuple(low), tuple(high)))  # type: ignore[arg-type]
    there = [[a - first, b - first] for a, b, first in zip(low, high, start)]
    for name, array in patch.items():  # converted by numpy: torch would start more threads for it
        if inside[name] is not None:
            insert_crop_into_image(array, inside[name], there)


def prefetched(
    loader: PatchLoader, numbers: Sequence[int], num_workers: int, pin: bool = False
) -> Generator[PatchBatch, None, None]:
    """The batches of these ``numbers`` in order, read ahead by ``num_workers`` threads (0: by the caller);
    ``pin``: see PatchBatch.

    Threads are enough: decompression and the copies release Python's lock.
    """

    def read(number: int) -> PatchBatch:
        return loader.batch(number).pinned() if pin else loader.batch(number)

    if num_workers < 1:
        yield from map(read, numbers)
        return
    waiting: deque = deque()
    remaining: Iterator[int] = iter(numbers)
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
    """Loader threads: one for a CPU training (which needs the cores), up to 8 for a GPU. ``trainings`` share
    this machine's cores."""
    return 1 if device == "cpu" else min(8, max(1, default_processes() // trainings - 1))
