"""Predictions of lesions that the CT shows and of lesions that it does not show, beside the ceiling, on phantoms.

Run: python benchmarks/lesions.py WORK [--arms default lesions_50] [--seconds 600] [--others NAME=MODEL ...]
Trunks of --train phantoms train each arm (see variants.py) for --seconds of processor time on one core; --test others
are predicted and evaluated. --rich_arms are trained on --rich other phantoms, with about ten lesions in the trunk, of
all diagnoses; in tables their names begin with rich_. The ceiling is the best prediction from the CT and the rules of
the phantom: each tissue has its mean uptake, each lesion that the CT shows the mean uptake of such lesions, and no
other lesion exists.
--others predicts with further models: archives, folders of trained models, or box, the built-in model. --combine
predicts with the first of two arms or others, and with the second as the model for lesions (--lesion_model).
What is finished stays in WORK and is not done again; without arms it prints what is finished.

Prints the share of the shown lesions that an ideal observer of the CT finds on the network's grid with one false
positive per scan, if each voxel of the trunk can be one (_lesion_observer.py). Then the error in the trunk, the SUVmean
bias of both groups of lesions, the share of lesions with an SUV of at least 4, and the hot spots outside lesions, with
95% intervals over cases; every prediction against the default arm, paired; and how much of its error is in lesions.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _lesion_ceiling import patients, uptake_of_shown_lesions, write_ceiling
from _lesion_observer import Observed, Observer
from _lesion_shares import lesion_shares
from _lesion_tables import DISTRICT, REFERENCE, SHOWN, markdown, tables
from comparison import PHANTOM, TRAINING, Benchmark, arm, plan_default, train_network, write_plans
from variants import ARMS, DEFAULT, VARIANTS

from ct2pet.api.evaluation import evaluate
from ct2pet.api.prediction import predict
from ct2pet.api.preprocessing import preprocess
from ct2pet.dataset import RawDataset
from ct2pet.evaluation import read_summary
from ct2pet.files import write_json
from ct2pet.imageio import read_volume, write_volume
from ct2pet.layout import SUMMARY, model_folder
from ct2pet.phantom import DEMO, Cohort, write_cohort, write_dataset
from ct2pet.phantom.scan import LESION_GROUPS
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.resampling import resample
from ct2pet.volume import Triple, Volume

CEILING = "ceiling"
OBSERVER = "ideal_observer.md"
RICH = "Dataset997_LesionRich"
_PHANTOM_SEED, _RICH_SEED = 2020, 2021
_FALSE_POSITIVES = 1.0  # of the ideal observer, per scan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--arms", nargs="*", choices={**ARMS, **VARIANTS}, default=[], metavar="ARM")
    parser.add_argument("--rich_arms", nargs="*", choices={**ARMS, **VARIANTS}, default=[], metavar="ARM")
    parser.add_argument("--others", nargs="*", default=[], metavar="NAME=MODEL", help="models for --model of predict")
    parser.add_argument("--combine", nargs="*", default=[], metavar="NAME+NAME", help="a model, and one for lesions")
    parser.add_argument("--seconds", type=float, default=600, help="processor time of each arm's training")
    parser.add_argument("--train", type=int, default=120, help="phantoms to train on")
    parser.add_argument("--test", type=int, default=30, help="phantoms to predict")
    parser.add_argument("--seed", type=int, default=_PHANTOM_SEED, help="of the phantoms (default: %(default)s)")
    parser.add_argument("--rich", type=int, default=250, help="phantoms rich in lesions, for --rich_arms")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    benchmark = Benchmark(work, work / "results", PHANTOM, arguments.seconds, ("all",), DISTRICT)
    benchmark.use_folders()
    prepare(benchmark, make_phantoms(benchmark, arguments.train, arguments.test, arguments.seed))
    ceiling(benchmark)
    for name in arguments.arms:
        run_arm(benchmark, name)
    rich = replace(benchmark, dataset=RICH)
    if arguments.rich_arms:
        prepare_rich(rich, arguments.rich)
    for name in arguments.rich_arms:
        run_arm(rich, name)
    others = dict(other.split("=", 1) for other in arguments.others)
    for name, model in others.items():
        evaluated(benchmark, name, model_paths=[model])
    for name in arguments.combine:
        usual, lesions = (others.get(part) or folder_of(benchmark, part) for part in name.split("+"))
        evaluated(benchmark, name, model_paths=[usual], lesion_model=lesions)
    table = benchmark.work / OBSERVER
    if not table.exists():
        table.write_text(observer_table(benchmark), encoding="utf-8")
    print(f"{table.read_text(encoding='utf-8')}\n")
    folders = sorted((path.parent for path in (work / "predictions").glob(f"*/{SUMMARY}")), key=lambda f: f.name)
    summaries = {folder.name: read_summary(folder / SUMMARY) for folder in folders}
    print(tables(summaries))
    if REFERENCE in summaries:
        shares = lesion_shares(summaries[REFERENCE]["cases"], DISTRICT, SHOWN, volumes(benchmark))
        print(f"\n{REFERENCE}: shown lesions have {shares}")


def make_phantoms(benchmark: Benchmark, num_train: int, num_test: int, seed: int = _PHANTOM_SEED) -> RawDataset:
    """The raw dataset, its fingerprint and its plans."""
    raw = benchmark.work / "raw" / PHANTOM
    if not (raw / "dataset.json").exists():
        write_dataset(raw, num_train=num_train, num_test=num_test, seed=seed, scanner=DEMO)
    plan_default(benchmark)
    return RawDataset(raw)


def prepare(benchmark: Benchmark, dataset: RawDataset) -> None:
    """The trunk's store, and the masks of the lesions in the trunk of the test cases."""
    preprocess(PHANTOM, plans_name=DEFAULT, configurations=[DISTRICT], num_processes=1)
    for case in dataset.cases("Ts"):
        path = masks(benchmark) / f"{case}.nii.gz"
        if not path.exists():
            lesions, districts = (read_volume(dataset.file(kind, case, "Ts")) for kind in ("lesions", "districts"))
            inside = resample(districts, lesions.grid, labels=True).array == dataset.districts[DISTRICT]
            write_volume(path, lesions.with_array(np.where(inside, lesions.array, 0).astype(np.uint8)))


def prepare_rich(benchmark: Benchmark, number: int) -> None:
    """Phantoms rich in lesions, to train on, with plans and the trunk's store."""
    raw = benchmark.work / "raw" / RICH
    if not (raw / "dataset.json").exists():
        write_cohort(raw, Cohort(number, 0, _RICH_SEED, DEMO, lesion_rich=True), name="Phantoms rich in lesions")
    plan_default(benchmark)
    preprocess(RICH, plans_name=DEFAULT, configurations=[DISTRICT], num_processes=1)


def masks(benchmark: Benchmark) -> Path:
    """The folder of the masks of the lesions in the trunk."""
    return benchmark.work / "lesions_of_the_trunk"


def volumes(benchmark: Benchmark) -> dict[str, dict[str, float]]:
    """Of each test case the trunk and its shown lesions (ml)."""
    dataset = RawDataset(benchmark.work / "raw" / PHANTOM)
    labels = {DISTRICT: dataset.districts[DISTRICT], SHOWN: LESION_GROUPS[SHOWN.removeprefix("lesions_")]}
    found = {}
    for case in dataset.cases("Ts"):
        files = {DISTRICT: dataset.file("districts", case, "Ts"), SHOWN: masks(benchmark) / f"{case}.nii.gz"}
        maps = {name: read_volume(path) for name, path in files.items()}
        found[case] = {
            name: float((one.array == labels[name]).sum() * np.prod(one.grid.spacing) / 1000)
            for name, one in maps.items()
        }
    return found


def ceiling(benchmark: Benchmark) -> None:
    raw = benchmark.work / "raw" / PHANTOM
    folder = benchmark.work / "predictions" / CEILING
    if not (folder / SUMMARY).exists():
        known, test = patients(raw), RawDataset(raw).cases("Ts")
        uptake = uptake_of_shown_lesions([patient for case, patient in known.items() if case not in test])
        write_ceiling(folder, {case: known[case] for case in test}, DEMO, uptake)
        only_the_trunk(benchmark, folder)
        evaluate(PHANTOM, folder, lesions=masks(benchmark), num_processes=1)


def observer_table(benchmark: Benchmark) -> str:
    """The shown lesions of the test cases with their centre in the trunk, by tissue, in Markdown."""
    raw = benchmark.work / "raw" / PHANTOM
    dataset, known = RawDataset(raw), patients(raw)
    z, y, x = PreprocessedDataset.find(PHANTOM).plans(DEFAULT).configuration(DISTRICT).spacing
    cases, voxels, found = dataset.cases("Ts"), [], []
    observer = Observer(DEMO, (z, y, x), known[cases[0]])
    for case in cases:
        districts = read_volume(dataset.file("districts", case, "Ts"))
        trunk = districts.with_array(districts.array == dataset.districts[DISTRICT])
        voxels.append(trunk.array.sum() * np.prod(trunk.grid.spacing) / (z * y * x))
        found += [one for one in observer.lesions(known[case]) if _contains(trunk, one.lesion.centre)]
    rows = [["shown lesions in", "number", "contrast with the tissue [HU]", "d'", "found by the ideal observer [%]"]]
    by_host = {
        host: [one for one in found if one.lesion.host == host] for host in sorted({o.lesion.host for o in found})
    }
    rows += [_observed(host, own, np.mean(voxels)) for host, own in by_host.items()]
    return markdown([*rows, _observed("all tissues", found, np.mean(voxels))])


def _observed(name: str, found: Sequence[Observed], positions: float) -> list[str]:
    shares = [100 * one.found(_FALSE_POSITIVES, positions) for one in found]
    contrasts, d = [abs(one.contrast) for one in found], [one.d for one in found]
    return [name.replace("_", " "), str(len(found)), *map(_range, (contrasts, d)), f"{np.mean(shares):.0f}"]


def _range(values: Sequence[float]) -> str:
    return f"{np.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def _contains(region: Volume, point: Triple) -> bool:
    """Whether the region has the voxel of a point (X, Y, Z, mm)."""
    index = [
        round((at - first) / step) for at, first, step in zip(point, region.grid.origin, region.grid.spacing[::-1])
    ]
    inside = all(0 <= i < n for i, n in zip(index[::-1], region.grid.shape))
    return inside and bool(region.array[tuple(index[::-1])])


def only_the_trunk(benchmark: Benchmark, folder: Path) -> None:
    """Mark the other districts as not predicted, as ct2pet_predict does with districts without a model."""
    dataset = RawDataset(benchmark.work / "raw" / PHANTOM)
    for case in dataset.cases("Ts"):
        districts = read_volume(dataset.file("districts", case, "Ts"))
        others = np.where(districts.array == dataset.districts[DISTRICT], 0, districts.array)
        write_volume(folder / "not_predicted" / f"{case}.nii.gz", districts.with_array(others))


def folder_of(benchmark: Benchmark, name: str) -> Path:
    """The folder of the trained model of an arm, whose name begins with rich_ if it was trained on RICH."""
    plans = name.removeprefix("rich_")
    dataset = PHANTOM if plans == name else RICH
    return model_folder(benchmark.work / "results", dataset, arm(plans).model, plans, DISTRICT)


def run_arm(benchmark: Benchmark, name: str) -> None:
    """Train, predict and evaluate one arm; finished parts are not repeated."""
    shown_as = f"rich_{name}" if benchmark.dataset == RICH else name
    folder = benchmark.work / "predictions" / shown_as
    if not (folder / TRAINING).exists():
        write_plans(benchmark, name)
        write_json(folder / TRAINING, [train_network(benchmark, name, DISTRICT, "all", benchmark.seconds)])
    evaluated(benchmark, shown_as, dataset=benchmark.dataset, model=arm(name).model, plans_name=name)


def evaluated(benchmark: Benchmark, name: str, **model: Any) -> None:
    """Predict and evaluate the trunks of the test cases."""
    folder = benchmark.work / "predictions" / name
    if not (folder / SUMMARY).exists():
        source = benchmark.work / "raw" / PHANTOM / "imagesTs"
        predict(source, folder, configurations=[DISTRICT], device="cpu", continue_prediction=True, **model)
        evaluate(PHANTOM, folder, lesions=masks(benchmark), num_processes=1)


if __name__ == "__main__":
    main()
