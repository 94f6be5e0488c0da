"""ct2pet's Pix2Pix beside nnU-Net turned to regression, MONAI's U-Net with PatchGAN and KonfAI, on the same cases.

Run: python benchmarks/rivals.py WORK                         phantoms, --train 100 to train, --test 24 to predict
     python benchmarks/rivals.py WORK --sts STS_NIFTI_FOLDER  28 sarcoma patients in --folds 4, each predicted once
     [--arms pix2pix regression nnunet monai konfai] [--seconds 300] [--fold 0]
Needs benchmarks/requirements.txt. Every arm trains on all training cases (of each fold) for the same processor time on
one core (of ct2pet shared by its districts); the same other cases are predicted and evaluated by ct2pet_evaluate. The
other programs see CTs on the grid of the PETs, the whole image at once. What is finished stays in WORK and is not done
again. With --fold, only one fold is run and printed; --folds 1 predicts the six test patients of Dataset101_STS. The
body median of several folds is that of all 28 patients.

Prints steps and errors of every arm, and the comparison of ct2pet_compare with the first arm: paired tests, one family;
those of the whole body and of the lesions again as a table in Markdown; and the parts of the error in the body.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _error_parts import parts_table
from _rival_folds import collect, splits_of, write_fold, write_patients
from _rival_tables import COMPARED, differences, table
from comparison import (
    PHANTOM,
    STS,
    TRAINING,
    Benchmark,
    arm,
    configurations,
    plan_default,
    shares,
    train_network,
    write_plans,
)
from lesions import make_phantoms
from variants import ARMS, DEFAULT, VARIANTS

from ct2pet.api.comparison import compare_results
from ct2pet.api.evaluation import evaluate
from ct2pet.api.prediction import predict
from ct2pet.api.preprocessing import preprocess
from ct2pet.dataset import RawDataset
from ct2pet.dataset.splits import Split
from ct2pet.evaluation.comparing import text
from ct2pet.files import write_json
from ct2pet.imageio import read_volume, write_volume
from ct2pet.layout import SUMMARY
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.resampling import AIR_HU, resample
from ct2pet.volume import Volume

_OWN = {"pix2pix": "default", **{name: name for name in {**ARMS, **VARIANTS}}}  # arms of variants.py
_FIRST = ("pix2pix", "regression")


@dataclass(frozen=True)
class Settings:
    """``nnunet_step_size``: of its sliding window, as a share of the window."""

    arms: tuple[str, ...]
    seconds: float
    nnunet_memory_gib: float
    nnunet_step_size: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--sts", type=Path, help="folder with STS_xxx/{CT_image,PET_image,PET_mask}.nii.gz")
    parser.add_argument("--arms", nargs="*", choices=[*_OWN, *_RIVALS], default=[*_FIRST, *_RIVALS], metavar="ARM")
    parser.add_argument("--seconds", type=float, default=300, help="processor time of each arm's training")
    parser.add_argument("--train", type=int, default=100, help="phantoms to train on")
    parser.add_argument("--test", type=int, default=24, help="phantoms to predict")
    parser.add_argument("--folds", type=int, default=4, help="parts of the patients, each predicted by the others")
    parser.add_argument("--fold", type=int, help="only this one, from 0")
    parser.add_argument("--nnunet_memory", type=float, default=0.1, help="GiB for which nnU-Net plans its patches")
    parser.add_argument("--nnunet_step_size", type=float, default=0.5, help="of its sliding window, at most 1")
    arguments = parser.parse_args()
    numbers = (arguments.seconds, arguments.nnunet_memory, arguments.nnunet_step_size)
    settings = Settings(tuple(arguments.arms), *numbers)
    work = arguments.work.resolve()
    if arguments.sts:
        whole = make_benchmark(work / f"{arguments.folds}_folds", STS, settings)
        patients = write_patients(arguments.sts, whole.work / "raw" / STS)
        splits = splits_of(patients.cases("Ts"), arguments.folds, arguments.fold)
        benchmark = run_patients(whole, patients, settings, splits)
    else:
        benchmark = make_benchmark(work, PHANTOM, settings)
        run_arms(benchmark, make_phantoms(benchmark, arguments.train, arguments.test), settings)
    finished = evaluated(benchmark, settings.arms)
    if finished:
        print(table(finished))
    if len(finished) > 1:
        comparison = compare_results([*finished.values()], COMPARED)
        print(f"\n{text(comparison)}\n\n{differences(comparison)}")
    if finished:
        print(f"\n{parts_table(RawDataset(benchmark.work / 'raw' / benchmark.dataset), finished)}")


def make_benchmark(work: Path, dataset: str, settings: Settings) -> Benchmark:
    benchmark = Benchmark(work, work / "results", dataset, settings.seconds, ("all",), None)
    benchmark.use_folders()
    return benchmark


def run_patients(whole: Benchmark, patients: RawDataset, settings: Settings, splits: Mapping[int, Split]) -> Benchmark:
    """Each fold in a process of its own, as nnU-Net reads its folders only once. Returns what is to be evaluated: one
    fold, or what several have predicted together."""
    every = {number: replace(whole, work=whole.work / f"fold_{number}") for number in splits}
    for number, split in splits.items():
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            process.submit(run_fold, every[number].work, patients, split, settings).result()
    if len(every) == 1:
        (only,) = every.values()
        only.use_folders()
        return only
    for name in settings.arms:
        collect([one.folder(name) for one in every.values()], whole.folder(name))
    return whole


def run_fold(work: Path, patients: RawDataset, split: Split, settings: Settings) -> None:
    benchmark = make_benchmark(work, STS, settings)
    dataset = write_fold(patients, work / "raw" / STS, split)
    plan_default(benchmark)
    run_arms(benchmark, dataset, settings)


def run_arms(benchmark: Benchmark, dataset: RawDataset, settings: Settings) -> None:
    """Train and predict with the arms that have not predicted all test cases."""
    for name in settings.arms:
        folder = benchmark.folder(name)
        if is_predicted(dataset, folder):
            continue
        if name in _OWN:
            run_own(benchmark, name)
        else:
            _RIVALS[name](benchmark, dataset, folder, settings)


def is_predicted(dataset: RawDataset, folder: Path) -> bool:
    return all((folder / f"{case}.nii.gz").exists() for case in dataset.cases("Ts"))


def evaluated(benchmark: Benchmark, arms: Sequence[str]) -> dict[str, Path]:
    """The folders of the arms that have predicted all test cases, with their summaries."""
    dataset = RawDataset(benchmark.work / "raw" / benchmark.dataset)
    folders = {name: benchmark.folder(name) for name in arms}
    finished = {name: folder for name, folder in folders.items() if is_predicted(dataset, folder)}
    for folder in finished.values():
        if not (folder / SUMMARY).exists():
            evaluate(benchmark.dataset, folder, num_processes=1)
    return finished


def run_own(benchmark: Benchmark, name: str) -> None:
    """Train a network of ct2pet for each district, and predict."""
    own, folder = _OWN[name], benchmark.folder(name)
    plans = PreprocessedDataset.find(benchmark.dataset).plans(DEFAULT)
    districts = {key: plans.configuration(key) for key in configurations(benchmark, plans, own)}
    if not (folder / TRAINING).exists():
        preprocess(benchmark.dataset, plans_name=DEFAULT, configurations=[*districts], num_processes=1)
        write_plans(benchmark, own)
        trained = [
            train_network(benchmark, own, district, "all", seconds)
            for district, seconds in shares(benchmark.seconds, districts).items()
        ]
        write_json(folder / TRAINING, trained)
    source = benchmark.work / "raw" / benchmark.dataset / "imagesTs"
    chosen = {"dataset": benchmark.dataset, "model": arm(own).model, "plans_name": own}
    predict(source, folder, configurations=[*districts], device="cpu", continue_prediction=True, **chosen)


def run_nnunet(benchmark: Benchmark, dataset: RawDataset, folder: Path, settings: Settings) -> None:
    import _rival_nnunet as rival

    own = benchmark.work / "nnunet"
    rival.use_folders(own)
    if not (folder / TRAINING).exists():
        cases = dataset.cases("Tr")
        for case in cases:
            ct, pet = on_one_grid(dataset, case, "Tr")
            districts = read_volume(dataset.file("districts", case, "Tr"))
            rival.write_case(own, case, ct, pet, resample(districts, pet.grid, labels=True).array > 0)
        rival.prepare(own, len(cases), settings.nnunet_memory_gib)
        _trained(benchmark, folder, rival.train(own, benchmark.seconds))
    predict_all(dataset, folder, rival.Predictor(own, settings.nnunet_step_size), own)


def run_monai(benchmark: Benchmark, dataset: RawDataset, folder: Path, settings: Settings) -> None:
    import _rival_monai as rival

    own = benchmark.work / "monai"
    own.mkdir(exist_ok=True)
    if not (folder / TRAINING).exists():
        pairs = [on_one_grid(dataset, case, "Tr") for case in dataset.cases("Tr")]
        _trained(benchmark, folder, rival.train(own, pairs, benchmark.seconds))
    predict_all(dataset, folder, rival.Predictor(own), own)


def run_konfai(benchmark: Benchmark, dataset: RawDataset, folder: Path, settings: Settings) -> None:
    import _rival_konfai as rival

    own = benchmark.work / "konfai"
    if not (folder / TRAINING).exists():
        shapes = []
        for case in dataset.cases("Tr"):
            ct, pet = on_one_grid(dataset, case, "Tr")
            rival.write_case(own, case, ct, pet)
            shapes.append(pet.grid.shape)
        _trained(benchmark, folder, rival.train(own, shapes, benchmark.seconds))
    predict_all(dataset, folder, rival.Predictor(own), own)


_RIVALS: dict[str, Callable[..., None]] = {"nnunet": run_nnunet, "monai": run_monai, "konfai": run_konfai}


def _trained(benchmark: Benchmark, folder: Path, steps: int) -> None:
    write_json(folder / TRAINING, [{"steps": steps, "seconds": benchmark.seconds}])


def on_one_grid(dataset: RawDataset, case: str, split: str) -> tuple[Volume, Volume]:
    """The CT on the grid of the PET, and the PET."""
    ct, pet = (read_volume(dataset.file(name, case, split)) for name in ("CT", "PET"))
    return resample(ct.with_array(ct.array.astype(np.float32)), pet.grid, outside=AIR_HU), pet


def predict_all(dataset: RawDataset, folder: Path, predictor: Callable[[Volume, Path], np.ndarray], own: Path) -> None:
    """Predict the test cases on the grid of their PETs, not below 0."""
    for case in dataset.cases("Ts"):
        path = folder / f"{case}.nii.gz"
        if not path.exists():
            ct, pet = on_one_grid(dataset, case, "Ts")
            write_volume(path, pet.with_array(np.maximum(predictor(ct, own / "ct.nii.gz"), 0)))


if __name__ == "__main__":
    main()
