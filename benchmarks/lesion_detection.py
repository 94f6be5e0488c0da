"""Whether lesions that the CT shows can be learned from it at all: their detection alone, without a PET.

Run: python benchmarks/lesion_detection.py WORK [--seconds 300] [--fresh 250]
WORK: the folder of lesions.py, with its phantoms and plans. A U-Net as the plans give the generator, with batch
normalisation, which sees the CT in the planned window and in three narrower ones, learns which voxels of the trunk are
a shown lesion (cross-entropy in which these voxels count ten times; half of the patches on such lesions), for --seconds
of processor time on one core, in bfloat16. It learns from the training cases, or from --fresh other phantoms, which are
rich in lesions: each site of a tumour, of whatever diagnosis, is drawn with a probability of 0.6. They stay in
WORK/fresh.

Prints a learning curve: for training and test cases the share of shown lesions that are found with at most so many
regions outside lesions per scan. Then for thresholds of the probability the share of the test cases' shown and hidden
lesions that reach it somewhere, and the regions outside lesions per scan. Hidden lesions count neither as lesions nor
as background in the training.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from _detection_scores import HIDDEN, REGIONS_PER_SCAN, SHOWN, Case, regions, sensitivities, table
from comparison import PHANTOM, Benchmark
from lesions import DISTRICT
from torch.nn import functional
from variants import DEFAULT

from ct2pet.dataset import RawDataset
from ct2pet.files import atomic_path
from ct2pet.imageio import read_volume
from ct2pet.networks import build_network, zero_init_last_layer
from ct2pet.phantom import DEMO, Patient, make_patient, scan
from ct2pet.phantom.lesions import SITES, place_lesions_at
from ct2pet.planning.configuration import Configuration, Normalization
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.case_on_grid import prepare_case
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.preprocessing.normalization import denormalize, normalize
from ct2pet.volume import Volume

_WINDOWS_HU = ((-150.0, 250.0), (0.0, 120.0), (-1000.0, -200.0))
_FRESH_SEED, _SITE_DRAWN = 2021, 0.6
_LEARNING_RATE, _LESION_WEIGHT, _LARGEST_GRADIENT, _FIRST_LOGIT = 3e-3, 10.0, 5.0, -4.0
_PATCH, _BATCH = 32, 4  # edge (voxels), and the patches of a step
_FIRST_STEPS, _CURVE_EVERY, _TRAINING_CASES_SHOWN = 30, 60.0, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="the folder of lesions.py")
    parser.add_argument("--seconds", type=float, default=300, help="processor time of the training")
    parser.add_argument("--fresh", type=int, default=0, help="phantoms to train on in place of the training cases")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    work = arguments.work.resolve()
    Benchmark(work, work / "results", PHANTOM, arguments.seconds, ("all",), DISTRICT).use_folders()
    plans, dataset = PreprocessedDataset.find(PHANTOM).plans(DEFAULT), RawDataset(work / "raw" / PHANTOM)
    test = list(cases(dataset, plans, "Ts"))
    known = list(
        fresh_cases(plans, arguments.fresh, work / "fresh") if arguments.fresh else cases(dataset, plans, "Tr")
    )
    network, patches = detector(plans.configuration(DISTRICT)), Patches(known, _PATCH, _BATCH)
    print(f"{len(patches.lesions)} shown lesions in {len(known)} training cases\n")
    train(network, patches, arguments.seconds, Curve(network, known[:_TRAINING_CASES_SHOWN], test))
    print(f"\n{table(test, [1 / (1 + np.exp(-logits(network, case.ct))) for case in test])}")


def cases(dataset: RawDataset, plans: Plans, split: str) -> Iterator[Case]:
    fields = plans.all_fields
    for case in dataset.cases(split):
        kinds = (*(one.name for one in (*fields.inputs, *fields.targets)), "districts", "lesions")
        yield on_grid({kind: read_volume(dataset.file(kind, case, split)) for kind in kinds}, plans)


def fresh_cases(plans: Plans, number: int, folder: Path) -> Iterator[Case]:
    """So many phantoms that are rich in lesions, always the same ones; they are kept in ``folder``."""
    for n in range(number):
        path = folder / f"{n}.npz"
        if not path.exists():
            seed = int(np.random.SeedSequence([_FRESH_SEED, n]).generate_state(1)[0])
            found = scan(lesion_rich(seed), DEMO)
            images = {"CT": found.ct, "PET": found.pet, "districts": found.districts, "lesions": found.lesions}
            case = on_grid(images, plans)
            with atomic_path(path) as unfinished, unfinished.open("wb") as file:
                np.savez(file, ct=case.ct.astype(np.float16), mask=case.mask, groups=case.groups)
        with np.load(path) as kept:
            yield Case(kept["ct"].astype(np.float32), kept["mask"], kept["groups"])


def lesion_rich(seed: int) -> Patient:
    """The patient of a seed, to the thighs, with lesions of all diagnoses."""
    patient, random = replace(make_patient(seed), field_of_view="thigh"), np.random.default_rng([seed, 7])
    sites = [site for sites in SITES.values() for site in sites if random.random() < _SITE_DRAWN]
    return replace(patient, lesions=place_lesions_at(patient, sites, random))


def on_grid(volumes: dict[str, Volume], plans: Plans) -> Case:
    """The trunk of a case from its images, its districts and its lesions (by name)."""
    configuration, fields, groups = plans.configuration(DISTRICT), plans.all_fields, np.uint8(0)
    for group in (SHOWN, HIDDEN):
        own = volumes["lesions"].with_array((volumes["lesions"].array == group).astype(np.uint8))
        found = prepare_case(volumes, volumes["districts"], configuration, fields, own)
        groups = groups + found.lesions * np.uint8(group)
    return Case(found.images["CT"], found.mask, groups)


class Windows(torch.nn.Module):
    """A network of several channels, given one: the normalised CT (N, 1, *space), and the same in windows (HU), each
    from -1 to 1."""

    def __init__(self, network: torch.nn.Module, planned: Normalization) -> None:
        super().__init__()
        self.network, self.planned = network, planned
        self.windows = [Normalization(low, high, True, [-1.0, 1.0]) for low, high in _WINDOWS_HU]

    def forward(self, ct: torch.Tensor) -> torch.Tensor:
        hu = denormalize(ct, self.planned)
        channels = torch.cat([ct, *(normalize(hu, window) for window in self.windows)], dim=1)
        return self.network(channels.contiguous(memory_format=torch.channels_last_3d))


def detector(configuration: Configuration) -> torch.nn.Module:
    """The plans' generator with batch normalisation and several windows of the CT, to the logit of a shown lesion, at
    first -4 everywhere."""
    planned = configuration.network("generator")
    plan = replace(planned, arguments={**planned.arguments, "norm_op": "torch.nn.BatchNorm3d"})
    network = zero_init_last_layer(build_network(plan, 1 + len(_WINDOWS_HU), 1))
    last = [module for module in network.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    torch.nn.init.constant_(last.bias, _FIRST_LOGIT)
    return Windows(network, configuration.normalization["CT"]).to(memory_format=torch.channels_last_3d)


class Patches:
    """Random patches, half of them on shown lesions, each as often as any other; half are mirrored left to right."""

    def __init__(self, known: Sequence[Case], edge: int, batch: int) -> None:
        self.random, self.edge, self.batch = np.random.default_rng(0), edge, batch
        self.cases = [case.padded(edge // 2) for case in known]
        self.inside = [np.argwhere(case.mask) for case in self.cases]
        self.lesions = [(n, voxels) for n, case in enumerate(self.cases) for voxels in regions(case.groups == SHOWN)]

    def __call__(self) -> tuple[torch.Tensor, ...]:
        """CT, lesion and the voxels that count (N, 1, edge, edge, edge) of the next batch."""
        parts = [self._patch() for _ in range(self.batch)]
        return tuple(torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32)) for arrays in zip(*parts))

    def _patch(self) -> tuple[np.ndarray, ...]:
        random = self.random
        if random.random() < 0.5:
            (number, voxels), apart = self.lesions[random.integers(len(self.lesions))], self.edge // 4
        else:
            number, apart = int(random.integers(len(self.cases))), self.edge // 10
            voxels = self.inside[number]
        centre = voxels[random.integers(len(voxels))] + random.integers(-apart, apart + 1, 3)
        case = self.cases[number]
        starts = [int(np.clip(c - self.edge // 2, 0, n - self.edge)) for c, n in zip(centre, case.ct.shape)]
        turn = slice(None, None, -1 if random.random() < 0.5 else 1)
        window = tuple(slice(start, start + self.edge) for start in starts)
        ct, mask, groups = (array[window][..., turn] for array in (case.ct, case.mask, case.groups))
        return ct, groups == SHOWN, mask & (groups != HIDDEN)


def train(
    network: torch.nn.Module, patches: Patches, seconds: float, report: Callable[[int, float, float], None]
) -> None:
    """Train for so much processor time; the learning rate rises in the first steps and falls to 0 in the last 40%.
    ``report`` gets the steps, the time and the mean of the last losses once a minute and at the end; its time does not
    count."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=1e-4)
    used, due, losses = 0.0, _CURVE_EVERY, []
    while used < seconds:
        started = time.process_time()
        warm, cooling = (len(losses) + 1) / _FIRST_STEPS, (1 - used / seconds) / 0.4
        optimizer.param_groups[0]["lr"] = _LEARNING_RATE * min(1.0, warm, cooling)
        losses.append(_step(network, optimizer, patches))
        used += time.process_time() - started
        if used >= min(due, seconds):
            due += _CURVE_EVERY
            report(len(losses), used, float(np.mean(losses[-100:])))


def _step(network: torch.nn.Module, optimizer: torch.optim.Optimizer, patches: Patches) -> float:
    ct, lesion, counted = patches()
    with torch.autocast("cpu", torch.bfloat16):
        found = network(ct)
    loss = detection_loss(found.float(), lesion * counted, counted)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
    optimizer.step()
    return loss.item()


def detection_loss(found: torch.Tensor, lesion: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy of the voxels that count; those of lesions are weighted."""
    weight = torch.tensor(_LESION_WEIGHT)
    cost = functional.binary_cross_entropy_with_logits(found, lesion, reduction="none", pos_weight=weight)
    return (cost * counted).sum() / counted.sum().clamp(min=1)


def logits(network: torch.nn.Module, ct: np.ndarray) -> np.ndarray:
    """float32 (Z, Y, X), predicted in one piece."""
    padded = np.pad(ct, [(0, -n % 8) for n in ct.shape], constant_values=-1).astype(np.float32)
    training = network.training
    network.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = network(torch.from_numpy(padded[None, None]))[0, 0].float().numpy()
    network.train(training)
    return found[tuple(slice(0, n) for n in ct.shape)]


@dataclass(frozen=True)
class Curve:
    """Prints a row of the learning curve."""

    network: torch.nn.Module
    known: Sequence[Case]
    test: Sequence[Case]

    def __post_init__(self) -> None:
        shares = [f"{kind}: shown [%] at ≤ {n}" for kind in ("training", "test") for n in REGIONS_PER_SCAN]
        print(f"| steps | seconds | loss | {' | '.join(shares)} |\n|{' --- |' * (3 + len(shares))}", flush=True)

    def __call__(self, steps: int, seconds: float, loss: float) -> None:
        shares = [
            share
            for some in (self.known, self.test)
            for share in sensitivities(some, [logits(self.network, case.ct) for case in some])
        ]
        print(f"| {steps} | {seconds:.0f} | {loss:.3f} | {' | '.join(f'{s:.0f}' for s in shares)} |", flush=True)


if __name__ == "__main__":
    main()
