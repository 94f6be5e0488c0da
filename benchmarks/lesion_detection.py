"""Whether a network can detect the lesions that the CT shows, without a PET.

Run: python benchmarks/lesion_detection.py WORK [--seconds 300] [--patch 40 --batch 2]
WORK: the folder of lesions.py, with its phantoms and plans. A U-Net like the plans' generator, with the CT in the
planned and in a soft-tissue window as input, is trained to segment the shown lesions of the trunk (soft Dice and
cross-entropy; half of the patches on such lesions), for --seconds of processor time on one core. Prints for thresholds
of its probability the share of the test cases' shown and hidden lesions that reach it somewhere, and the regions
outside lesions per scan. Hidden lesions count neither as lesions nor as background in the training.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from _lesion_tables import DISTRICT
from comparison import PHANTOM, Benchmark
from scipy.ndimage import binary_dilation, label
from torch.nn import functional
from variants import DEFAULT, SOFT_TISSUE_HU

from ct2pet.dataset import RawDataset
from ct2pet.imageio import read_volume
from ct2pet.networks import add_input_windows, build_network, zero_init_last_layer
from ct2pet.phantom.scan import LESION_GROUPS
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.case_on_grid import prepare_case
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.preprocessing.normalization import normalized_windows

SHOWN, HIDDEN = LESION_GROUPS["shown_in_CT"], LESION_GROUPS["hidden_in_CT"]
_THRESHOLDS = (0.05, 0.1, 0.3, 0.5, 0.7)
_LEARNING_RATE, _CROSS_ENTROPY, _FIRST_LOGIT, _NOISE = 1e-3, 10.0, -4.0, 0.01
_NEIGHBOURS = np.ones((3, 3, 3))


@dataclass(frozen=True)
class Case:
    """The trunk on the network's grid: normalised ``ct``, ``mask`` (bool), ``groups`` of lesions (LESION_GROUPS)."""

    ct: np.ndarray
    mask: np.ndarray
    groups: np.ndarray

    def padded(self, width: int) -> Case:
        """With so many voxels outside of the image on each side."""
        return Case(
            *(np.pad(a, width, constant_values=v) for a, v in ((self.ct, -1), (self.mask, 0), (self.groups, 0)))
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="the folder of lesions.py")
    parser.add_argument("--seconds", type=float, default=300, help="processor time of the training")
    parser.add_argument("--patch", type=int, default=40, help="edge of the patches, voxels")
    parser.add_argument("--batch", type=int, default=2, help="patches of a step")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    work = arguments.work.resolve()
    Benchmark(work, work / "results", PHANTOM, arguments.seconds, ("all",), DISTRICT).use_folders()
    plans, dataset = PreprocessedDataset.find(PHANTOM).plans(DEFAULT), RawDataset(work / "raw" / PHANTOM)
    network = detector(plans.configuration(DISTRICT))
    patches = Patches(list(cases(dataset, plans, "Tr")), arguments.patch, arguments.batch)
    steps = train(network, patches, arguments.seconds)
    print(f"{steps} steps in {arguments.seconds:g} s of one core\n")
    test = list(cases(dataset, plans, "Ts"))
    print(table(test, [probability(network, case.ct, arguments.patch) for case in test]))


def cases(dataset: RawDataset, plans: Plans, split: str) -> Iterator[Case]:
    configuration, fields = plans.configuration(DISTRICT), plans.all_fields
    for case in dataset.cases(split):
        kinds = (*(one.name for one in (*fields.inputs, *fields.targets)), "districts", "lesions")
        *images, districts, lesions = (read_volume(dataset.file(kind, case, split)) for kind in kinds)
        volumes, groups = dict(zip(kinds, images)), np.uint8(0)
        for group in (SHOWN, HIDDEN):
            own = lesions.with_array((lesions.array == group).astype(np.uint8))
            found = prepare_case(volumes, districts, configuration, fields, own)
            groups = groups + found.lesions * np.uint8(group)
        yield Case(found.images["CT"], found.mask, groups)


def detector(configuration: Configuration) -> torch.nn.Module:
    """The plans' generator with the CT in the planned and in a soft-tissue window, to the logit of a shown lesion, at
    first -4 everywhere."""
    planned = configuration.normalization["CT"]
    windows = [(0, *ends) for ends in normalized_windows(replace(planned, windows=[[*SOFT_TISSUE_HU]]))]
    network = zero_init_last_layer(build_network(configuration.network("generator"), 1 + len(windows), 1))
    last = [module for module in network.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    torch.nn.init.constant_(last.bias, _FIRST_LOGIT)
    return add_input_windows(network, windows)


class Patches:
    """Random patches, half of them on shown lesions, half of them mirrored left to right, with noise in every third."""

    def __init__(self, known: Sequence[Case], edge: int, batch: int) -> None:
        self.random, self.edge, self.batch = np.random.default_rng(0), edge, batch
        self.cases = [case.padded(edge // 2) for case in known]
        self.inside = [np.argwhere(case.mask) for case in self.cases]
        self.lesions = {n: np.argwhere(c.groups == SHOWN) for n, c in enumerate(self.cases) if SHOWN in c.groups}

    def __call__(self) -> tuple[torch.Tensor, ...]:
        """CT, lesion and the voxels that count (N, 1, edge, edge, edge) of the next batch."""
        parts = [self._patch() for _ in range(self.batch)]
        return tuple(torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32)) for arrays in zip(*parts))

    def _patch(self) -> tuple[np.ndarray, ...]:
        random = self.random
        if random.random() < 0.5:
            number = int(random.choice([*self.lesions]))
            voxels, apart = self.lesions[number], self.edge // 5
        else:
            number = int(random.integers(len(self.cases)))
            voxels, apart = self.inside[number], self.edge // 10
        centre = voxels[random.integers(len(voxels))] + random.integers(-apart, apart + 1, 3)
        case = self.cases[number]
        starts = [int(np.clip(c - self.edge // 2, 0, n - self.edge)) for c, n in zip(centre, case.ct.shape)]
        turn = slice(None, None, -1 if random.random() < 0.5 else 1)
        window = tuple(slice(start, start + self.edge) for start in starts)
        ct, mask, groups = (array[window][..., turn] for array in (case.ct, case.mask, case.groups))
        noise = random.normal(0, _NOISE, ct.shape) if random.random() < 0.3 else 0.0
        return ct + noise, groups == SHOWN, mask & (groups != HIDDEN)


def train(network: torch.nn.Module, patches: Patches, seconds: float) -> int:
    """Train for so much processor time; the learning rate falls to 0 in the second half. Returns the steps."""
    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    steps, started = 0, time.process_time()
    while (done := (time.process_time() - started) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = _LEARNING_RATE * min(1.0, 2 * (1 - done))
        ct, lesion, counted = patches()
        loss = detection_loss(network(ct), lesion * counted, counted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
        if steps % 100 == 0:
            print(f"step {steps}: loss {loss.item():.3f}", file=sys.stderr, flush=True)
    return steps


def detection_loss(logits: torch.Tensor, lesion: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """1 - soft Dice of the batch + the weighted mean cross-entropy of the voxels that count."""
    found = torch.sigmoid(logits) * counted
    dice = (2 * (found * lesion).sum() + 1) / (found.sum() + lesion.sum() + 1)
    cost = functional.binary_cross_entropy_with_logits(logits, lesion, reduction="none")
    return 1 - dice + _CROSS_ENTROPY * (cost * counted).sum() / counted.sum().clamp(min=1)


def probability(network: torch.nn.Module, ct: np.ndarray, edge: int) -> np.ndarray:
    """float32 (Z, Y, X): the mean of windows of a patch's size, a quarter of which overlaps."""
    whole = np.pad(ct, [(0, max(0, edge - n)) for n in ct.shape], constant_values=-1).astype(np.float32)
    total, count = np.zeros_like(whole), np.zeros_like(whole)
    places = [
        np.unique(np.linspace(0, n - edge, 1 + math.ceil((n - edge) / (0.75 * edge)), dtype=int)) for n in whole.shape
    ]
    with torch.no_grad():
        for start in itertools.product(*places):
            window = tuple(slice(a, a + edge) for a in start)
            total[window] += torch.sigmoid(network(torch.from_numpy(whole[window][None, None])))[0, 0].numpy()
            count[window] += 1
    return (total / count)[tuple(slice(0, n) for n in ct.shape)]


def table(test: Sequence[Case], found: Sequence[np.ndarray]) -> str:
    """In Markdown, by threshold of the probability."""
    reached: dict[int, list[float]] = {SHOWN: [], HIDDEN: []}
    for case, image in zip(test, found):
        for group, values in reached.items():
            numbers, count = label(case.groups == group, _NEIGHBOURS)
            values += [float(image[numbers == number].max()) for number in range(1, count + 1)]
    sizes = f"{len(reached[SHOWN])} shown, {len(reached[HIDDEN])} hidden lesions"
    rows = [
        f"| probability ({sizes}) | shown [%] | hidden [%] | regions outside lesions, per scan |",
        "|" + " --- |" * 4,
    ]
    for threshold in _THRESHOLDS:
        shares = [100 * np.mean([value >= threshold for value in reached[group]]) for group in (SHOWN, HIDDEN)]
        others = np.mean([_outside(case, image, threshold) for case, image in zip(test, found)])
        rows.append(f"| ≥ {threshold:g} | {shares[0]:.0f} | {shares[1]:.0f} | {others:.2f} |")
    return "\n".join(rows)


def _outside(case: Case, found: np.ndarray, threshold: float) -> int:
    """The number of regions of the trunk with this probability that touch no lesion."""
    numbers, count = label((found >= threshold) & case.mask, _NEIGHBOURS)
    near = binary_dilation(case.groups > 0, _NEIGHBOURS)
    return count - len({*np.unique(numbers[near])} - {0})


if __name__ == "__main__":
    main()
