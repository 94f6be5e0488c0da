"""Comparison of methods and plans, all trained for the same time on one machine.

Run: python benchmarks/comparison.py WORK_FOLDER                         whole-body phantoms, 24 to train, 12 held out
     python benchmarks/comparison.py WORK_FOLDER --sts STS_NIFTI_FOLDER  22 patients to train five folds, 6 held out
Every arm (see variants.py) trains on one core for --seconds of processor time, shared by its folds and, by the square
root of their boxes' voxels, by its districts; two arms run side by side. Learning rates fall with the time that is
left. What is finished stays in WORK_FOLDER and is not done again.

Prints the errors of all arms on the held-out cases (the mean of the folds' networks predicts them) and claims on them
with paired tests. With --validate, for one configuration, those on the folds' validation cases: plans are chosen by
these, and the held-out cases are not used for this choice.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arm_tables import BODY, MAIN, Claim, Finished, tables
from variants import ARMS, DEFAULT, PAPER, VARIANTS, Arm

import ct2pet.models
from ct2pet.api.planning import extract_fingerprint, plan
from ct2pet.api.preprocessing import preprocess
from ct2pet.evaluation import read_summary
from ct2pet.files import read_json, write_json
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.layout import SUMMARY, model_folder
from ct2pet.parallel import map_cases
from ct2pet.phantom import DEMO, write_dataset
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.preprocessing.preprocessor import decisions_of, store_folder
from dataset_conversion.Dataset101_STS import convert

PHANTOM, STS = "Dataset998_Phantoms", "Dataset101_STS"
ct2pet.models.__path__.append(str(Path(__file__).with_name("methods")))  # methods of this benchmark alone

TRAINING = "training.json"
_SEED, _MEMORY_GIB = 2503, 8.0
_CLAIMS: dict[str, list[Claim]] = {
    PHANTOM: [
        ("default", "whole_body", BODY),
        ("default", "cyclegan", BODY),
        ("default", "paper", ("MAE [SUV]", "SUVmean bias [%]")),
        ("default", "regression", MAIN),
    ],
    STS: [
        ("default", "paper", ("MAE [SUV]", "SUVmean bias [%]")),
        ("default", "regression_nnunet", MAIN),
        ("default", "regression", MAIN),
    ],
}
_DEFAULT_ARMS = {PHANTOM: [name for name in ARMS if name != "regression_nnunet"]}
_DEFAULT_ARMS[STS] = ["default", "paper", "regression", "regression_nnunet"]


@dataclass(frozen=True)
class Benchmark:
    """One dataset, in the folders of ``work``; trainings go to ``results``."""

    work: Path
    results: Path
    dataset: str
    seconds: float
    folds: tuple[str, ...]
    validated: str | None

    def use_folders(self) -> None:
        folders = {"raw": self.work / "raw", "preprocessed": self.work / "preprocessed", "results": self.results}
        for kind, folder in folders.items():
            os.environ[f"ct2pet_{kind}"] = str(folder)

    @property
    def region(self) -> str:
        return self.validated or WHOLE_BODY

    def folder(self, name: str) -> Path:
        """Where the predictions of an arm go, its summary.json and training.json."""
        kind = "_".join(["validation", self.validated, *self.folds]) if self.validated else "predictions"
        return self.work / kind / name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--sts", type=Path, help="folder with STS_xxx/{CT_image,PET_image,PET_mask}.nii.gz")
    parser.add_argument("--seconds", type=float, default=300, help="processor time of each arm's training")
    parser.add_argument("--arms", nargs="*", choices=ARMS, help="default: those that the claims name")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=[], help="further arms")
    parser.add_argument("--train", type=int, default=24, help="phantoms to train on")
    parser.add_argument("--test", type=int, default=12, help="phantoms held out")
    parser.add_argument("--seed", type=int, default=_SEED, help="seed of the phantoms (default: %(default)s)")
    parser.add_argument("--folds", nargs="+", help="default: all on phantoms, 0 1 2 3 4 on STS")
    parser.add_argument(
        "--validate", metavar="CONFIGURATION", help="limbs, trunk, ...: compare on the folds' own cases"
    )
    parser.add_argument("--processes", type=int, default=2, help="arms side by side, each on one core")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    dataset = STS if arguments.sts else PHANTOM
    folds = tuple(arguments.folds or (["all"] if dataset == PHANTOM else map(str, range(5))))
    results = work / "results" / "_".join([arguments.validate or "test", *folds])
    benchmark = Benchmark(work, results, dataset, arguments.seconds, folds, arguments.validate)
    benchmark.use_folders()
    prepare(benchmark, arguments)

    names = _DEFAULT_ARMS[benchmark.dataset] if arguments.arms is None else arguments.arms
    names = [*names, *arguments.variants]
    waiting = {name: (benchmark, name) for name in names if not (benchmark.folder(name) / SUMMARY).exists()}
    for name in waiting:
        write_plans(benchmark, name)
    results = map_cases(run_arm, waiting, num_processes=arguments.processes, description="arms")
    for name, reason in results.failures.items():
        print(f"{name}: {reason}\n{results.tracebacks.get(name, '')}")
    finished = {
        name: Finished(*(read_json(benchmark.folder(name) / file) for file in (SUMMARY, TRAINING)))
        for name in {**ARMS, **VARIANTS}
        if (benchmark.folder(name) / SUMMARY).exists()
    }
    claims = [*_CLAIMS[benchmark.dataset], *((name, "default", MAIN) for name in VARIANTS)]
    print(f"\n{benchmark.dataset}\n\n{tables(finished, benchmark.region, claims)}")


def prepare(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    """Raw data, fingerprint, and the plans that the arms begin with, preprocessed."""
    raw = benchmark.work / "raw" / benchmark.dataset
    if not (raw / "dataset.json").exists():
        if benchmark.dataset == STS:
            convert(arguments.sts)
        else:
            sizes = {"num_train": arguments.train, "num_test": arguments.test}
            write_dataset(raw, **sizes, seed=arguments.seed, scanner=DEMO, num_processes=arguments.processes)
    if (benchmark.work / "preprocessed" / benchmark.dataset / f"{PAPER}.json").exists():
        return
    extract_fingerprint(benchmark.dataset, num_processes=arguments.processes)
    for name in (DEFAULT, PAPER):
        plan(benchmark.dataset, plans_name=name, device="cpu", gpu_memory_target=_MEMORY_GIB)
        preprocess(benchmark.dataset, plans_name=name, num_processes=arguments.processes)


def plan_default(benchmark: Benchmark) -> None:
    """The fingerprint and the default plans of the raw dataset, without preprocessed cases."""
    if not (benchmark.work / "preprocessed" / benchmark.dataset / f"{DEFAULT}.json").exists():
        extract_fingerprint(benchmark.dataset, num_processes=1)
        plan(benchmark.dataset, plans_name=DEFAULT, device="cpu", gpu_memory_target=_MEMORY_GIB)


def arm(name: str) -> Arm:
    return {**ARMS, **VARIANTS}[name]


def write_plans(benchmark: Benchmark, name: str) -> None:
    """The arm's own plans, and its stores: those of the plans that it begins with where they hold the same."""
    preprocessed = PreprocessedDataset.find(benchmark.dataset)
    seen = Fingerprint.load(preprocessed.fingerprint_file).districts
    base, chosen = preprocessed.plans(arm(name).plans), arm(name)
    plans = replace(
        base,
        plans_name=name,
        configurations={key: chosen.change(c, seen[key]) for key, c in base.configurations.items()},
        models={**base.models, chosen.model: {**base.hyperparameters(chosen.model), **chosen.numbers}},
    )
    plans.save(preprocessed.plans_file(name))
    for key, configuration in plans.configurations.items():
        own = store_folder(preprocessed.folder, plans, key)
        if decisions_of(configuration) == decisions_of(base.configuration(key)) and not (
            own.exists() or own.is_symlink()
        ):
            own.symlink_to(store_folder(preprocessed.folder, base, key).name)
    preprocess(benchmark.dataset, plans_name=name, configurations=configurations(benchmark, plans, name))


def configurations(benchmark: Benchmark, plans: Plans, name: str) -> list[str]:
    """What the arm trains. A dataset of one district has no other whole body."""
    if benchmark.validated:
        return [benchmark.validated]
    districts = [key for key in plans.configurations if key != WHOLE_BODY]
    return [WHOLE_BODY] if arm(name).whole_body else districts


def shares(seconds: float, configurations: Mapping[str, Configuration]) -> dict[str, float]:
    """The training time of each configuration: longer for a trunk than for a head."""
    sizes = {key: math.sqrt(math.prod(configuration.median_shape)) for key, configuration in configurations.items()}
    return {key: seconds * size / sum(sizes.values()) for key, size in sizes.items()}


def run_arm(benchmark: Benchmark, name: str) -> None:
    """Train on one core; predict the held-out cases, or the folds' validation cases, and evaluate them."""
    import torch

    torch.set_num_threads(1)
    benchmark.use_folders()
    plans = PreprocessedDataset.find(benchmark.dataset).plans(name)
    names = configurations(benchmark, plans, name)
    own = shares(benchmark.seconds * (1 - arm(name).pretraining), {key: plans.configuration(key) for key in names})
    before = {WHOLE_BODY: benchmark.seconds * arm(name).pretraining} if arm(name).pretraining else {}
    trained = [
        train_network(benchmark, name, key, fold, seconds / len(benchmark.folds))
        for fold in benchmark.folds
        for key, seconds in {**before, **own}.items()
    ]
    write_json(benchmark.folder(name) / TRAINING, trained)
    (pool_folds if benchmark.validated else test)(benchmark, name, names)


def test(benchmark: Benchmark, name: str, names: list[str]) -> None:
    from ct2pet.api.evaluation import evaluate
    from ct2pet.api.prediction import predict

    source = benchmark.work / "raw" / benchmark.dataset / "imagesTs"
    chosen = {"dataset": benchmark.dataset, "model": arm(name).model, "plans_name": name}
    predict(source, benchmark.folder(name), configurations=names, device="cpu", **chosen)
    evaluate(benchmark.dataset, benchmark.folder(name), num_processes=1)


def pool_folds(benchmark: Benchmark, name: str, names: list[str]) -> None:
    """The folds' validations as one summary."""
    from ct2pet.api.training import train
    from ct2pet.training import TrainingOptions

    options = TrainingOptions(show_progress=False)
    cases: dict[str, Any] = {}
    medians: dict[str, Any] = {}
    for fold in benchmark.folds:
        where = {"configurations": names, "plans_name": name, "device": "cpu"}
        (folder,) = train(benchmark.dataset, arm(name).model, fold, only_validate=True, options=options, **where)
        summary = read_summary(folder / "validation" / SUMMARY)
        cases |= summary["cases"]
        medians |= summary["baseline_cases"]["body_median"]
    write_json(benchmark.folder(name) / SUMMARY, {"cases": cases, "baseline_cases": {"body_median": medians}})


def train_network(benchmark: Benchmark, name: str, configuration: str, fold: str, seconds: float) -> dict[str, Any]:
    """Train one network anew; returns its steps and seconds."""
    from by_the_clock import train_for

    chosen, weights, first = arm(name), None, 0
    if chosen.begins_with:
        write_plans(benchmark, chosen.begins_with)
        seconds /= 2
        first = train_network(benchmark, chosen.begins_with, configuration, fold, seconds)["steps"]
        weights = fold_folder(benchmark, chosen.begins_with, configuration, fold)
    shutil.rmtree(fold_folder(benchmark, name, configuration, fold), True)
    whole_body = chosen.pretraining > 0 and configuration != WHOLE_BODY
    start = {"from_whole_body": whole_body, "pretrained_weights": weights}
    steps = train_for(seconds, benchmark.dataset, chosen.model, fold, configuration, name, **start)
    return {"configuration": configuration, "fold": fold, "steps": first + steps, "seconds": seconds}


def fold_folder(benchmark: Benchmark, name: str, configuration: str, fold: str) -> Path:
    """Where the training of an arm is."""
    return model_folder(benchmark.results, benchmark.dataset, arm(name).model, name, configuration) / f"fold_{fold}"


if __name__ == "__main__":
    main()
