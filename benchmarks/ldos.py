"""LDOS on phantoms with thinned counts: the arms of the paper's Tables 2 and 4, and what the paper lacks.

    python benchmarks/ldos.py WORK --arms fdpet ldpet ldos ldos_no_decay [--steps 3000]
    python benchmarks/ldos.py WORK --table

20 training and 6 test patients, 5% dose of a scanner with a fifth of the demonstration's counts, 6.5 mm voxels. Every
arm makes equal steps on fold 0 (16 patients to learn from, 4 to choose the Gaussian with), predicts the test patients
through ct2pet_predict and is evaluated by ct2pet_evaluate. ``--table`` prints all arms that are done, the baselines,
and paired differences. An arm that is interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import ct2pet.models

TRAIN, TEST, SEED, DOSE = 20, 6, 105, 0.05
PATCH, BATCH, EPOCHS = 32, 1, 10
SMALLEST_VOXELS = 50
LOW, FULL, MISMATCH = "Dataset105_LowDose", "Dataset106_FullDose", "Dataset107_Mismatch"
MISMATCH_MM = 8.0
MATCHED = "_matched"


@dataclass(frozen=True)
class Arm:
    """``dataset``: which data; ``hyperparameters`` and ``augmentation`` in place of the plans'; ``model``: the method."""

    dataset: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    model: str = "ldos"


SHIFTED = {"misalignment_mm": {"organs": [10.0, 5.0, 5.0]}, "misalignment_probability": 0.5}
LABELS_ALONE = {"lambda_denoising": 0.0, "lambda_organ_suv": 0.0}
ARMS = {
    "fdpet": Arm(FULL, LABELS_ALONE),
    "ldpet": Arm(LOW, LABELS_ALONE),
    "ldos": Arm(LOW),
    "ldos_no_decay": Arm(LOW, {"denoising_decay": 0.0}),
    "ldos_no_organ_suv": Arm(LOW, {"lambda_organ_suv": 0.0}),
    "ldos_denoising_1": Arm(LOW, {"lambda_denoising": 1.0, "lambda_organ_suv": 0.0}),
    "sequential": Arm(LOW, {"inner_folds": 2}, model="ldos_sequential"),
    "mismatch": Arm(MISMATCH),
    "mismatch_augmented": Arm(MISMATCH, augmentation=SHIFTED),
}
ct2pet.models.__path__.append(str(Path(__file__).with_name("methods")))  # methods of benchmarks alone


def run(line: str) -> None:
    """A command by its name without ct2pet_, and its arguments."""
    name, *arguments = line.split()
    if code := import_module(f"ct2pet.cli.{name}").main(arguments):
        sys.exit(f"ct2pet_{line}: exit code {code}")


def enter(work: Path) -> None:
    """Let the commands work in ``work``."""
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(work / kind)


def make_dataset(work: Path, name: str) -> None:
    """Write a dataset and its plans, where they are not there yet."""
    from ct2pet.phantom.lowdose import write_low_dose_dataset
    from ct2pet.phantom.scanner import DEMO_LOW_COUNTS
    from ct2pet.phantom.writer import Cohort

    raw = work / "raw" / name
    if name == FULL:
        make_dataset(work, LOW)
        if not (raw / "dataset.json").exists():
            full_dose_from(work / "raw" / LOW, raw)
    elif not (raw / "dataset.json").exists():
        mismatch = MISMATCH_MM if name == MISMATCH else 0.0
        scanner = replace(DEMO_LOW_COUNTS, respiratory_mismatch_mm=mismatch)
        write_low_dose_dataset(raw, Cohort(TRAIN, TEST, SEED, scanner), dose_fraction=DOSE, num_processes=2)
    plans = work / "preprocessed" / name / "ct2petPlans.json"
    if not plans.exists():
        run(f"plan_and_preprocess -d {name} -device cpu -gpu_memory_target 4 -np 2")
        content = json.loads(plans.read_text())
        content["configurations"]["whole_body"] |= {"patch_size": [PATCH] * 3, "batch_size": BATCH, "mirror_axes": [2]}
        plans.write_text(json.dumps(content, indent=2))


def full_dose_from(source: Path, target: Path) -> None:
    """The same cases with the full-dose PET as the input, too."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("imagesT?"))
    for split in ("Tr", "Ts"):
        (target / f"images{split}").mkdir()
        for path in sorted((target / f"targets{split}").glob("*.nii.gz")):
            shutil.copyfile(path, target / f"images{split}" / path.name.replace(".nii.gz", "_0000.nii.gz"))
    content = json.loads((target / "dataset.json").read_text())
    (target / "dataset.json").write_text(json.dumps({**content, "dose_fraction": 1.0}))


def tested_on(arm: Arm) -> list[tuple[str, str]]:
    """The datasets whose test patients an arm predicts, and what their row adds to the arm's name."""
    return [(arm.dataset, "")] + ([(LOW, MATCHED)] if arm.dataset == MISMATCH else [])


def run_arm(work: Path, name: str, steps: int) -> None:
    """Train, predict the test patients, evaluate."""
    arm = ARMS[name]
    make_dataset(work, arm.dataset)
    folder = work / "preprocessed" / arm.dataset
    content = json.loads((folder / "ct2petPlans.json").read_text())
    content["plans_name"] = f"plans.{name}"
    content["models"][arm.model] = {**content["models"]["ldos"], **arm.hyperparameters}
    content["configurations"]["whole_body"]["augmentation"] |= arm.augmentation
    (folder / f"plans.{name}.json").write_text(json.dumps(content, indent=2))
    store = folder / f"plans.{name}_whole_body"
    if not store.exists():
        store.symlink_to(folder / "ct2petPlans_whole_body")
    length = f"--num_epochs {EPOCHS} --iterations_per_epoch {steps // EPOCHS}"
    run(f"train {arm.dataset} {arm.model} 0 -p plans.{name} {length} -device cpu -num_workers 0 --c")
    for dataset, suffix in tested_on(arm):
        target = work / "predictions" / f"{name}{suffix}"
        images = work / "raw" / dataset / "imagesTs"
        run(f"predict -i {images} -o {target} -p plans.{name} -m {arm.model} -d {arm.dataset} -f 0 -device cpu")
        run(f"evaluate -d {dataset} -i {target} -np 1")


def pets(work: Path, dataset: str, split: str, kind: str) -> dict[str, Any]:
    from ct2pet.imageio import read_volume

    paths = sorted((work / "raw" / dataset / f"{kind}{split}").glob("*.nii.gz"))
    return {path.name.split(".")[0].removesuffix("_0000"): read_volume(path, "SUV") for path in paths}


def gaussian(pet: Any, fwhm_mm: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(pet.array, [fwhm_mm / 2.3548 / mm for mm in pet.grid.spacing])


def body_errors(work: Path, cases: Sequence[str], split: str, fwhm_mm: float) -> list[float]:
    """The mean absolute error (SUV) inside the body of the low-dose PET under a Gaussian; 0 mm: as it is."""
    from ct2pet.districts.pet_outline import pet_outline

    low, full = (pets(work, LOW, split, kind) for kind in ("images", "targets"))
    errors = []
    for case in cases:
        body = pet_outline(low[case]).array > 0
        image = gaussian(low[case], fwhm_mm) if fwhm_mm else low[case].array
        errors.append(float(np.abs(image - full[case].array)[body].mean()))
    return errors


def best_gaussian(work: Path) -> tuple[float, list[float]]:
    """The width (FWHM, mm) with the least error on the validation patients, and the errors of the test patients."""
    splits = json.loads((work / "preprocessed" / LOW / "splits_final.json").read_text())
    widths = np.arange(4.0, 30.1, 2.0)
    chosen = min(widths, key=lambda width: np.mean(body_errors(work, splits[0]["val"], "Tr", float(width))))
    test = sorted(pets(work, LOW, "Ts", "images"))
    return float(chosen), body_errors(work, test, "Ts", float(chosen))


def mean_dice(guess: np.ndarray, truth: np.ndarray, labels: Sequence[int]) -> float:
    """The mean Dice of these labels in two maps."""
    pairs = [(guess == label, truth == label) for label in labels]
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs]))


def label_baselines(work: Path, organs: Sequence[str]) -> dict[str, list[float]]:
    """The mean Dice over ``organs`` in each test patient: of a label atlas of the training patients, and of the true
    labels in voxels of the PET, above which no prediction in these voxels can come by much."""
    from _label_atlas import Atlas, body_box, voted

    from ct2pet.imageio import read_volume
    from ct2pet.resampling import resample

    raw = work / "raw" / LOW
    labels = json.loads((raw / "dataset.json").read_text())["targets"]["organs"]["labels"]
    training = json.loads((work / "preprocessed" / raw.name / "splits_final.json").read_text())[0]["train"]
    low = pets(work, raw.name, "Tr", "images")
    atlases = [Atlas(read_volume(raw / "organsTr" / f"{case}.nii.gz"), *body_box(low[case])) for case in training]
    found: dict[str, list[float]] = {"label_atlas": [], "true_labels_in_pet_voxels": []}
    for case, pet in pets(work, raw.name, "Ts", "images").items():
        truth = read_volume(raw / "organsTs" / f"{case}.nii.gz")
        coarse = resample(resample(truth, pet.grid, labels=True), truth.grid, labels=True).array
        for name, guess in zip(found, (voted(atlases, pet, truth.grid, len(labels)), coarse)):
            found[name].append(mean_dice(guess, truth.array, [labels[organ] for organ in organs]))
    return found


def large_organs(work: Path) -> list[str]:
    """The organs of more than 50 PET voxels in every test patient."""
    from ct2pet.imageio import read_volume

    raw = work / "raw" / LOW
    labels = json.loads((raw / "dataset.json").read_text())["targets"]["organs"]["labels"]
    grid = next(iter(pets(work, LOW, "Ts", "images").values())).grid
    smallest = dict.fromkeys(labels, np.inf)
    for path in sorted((raw / "organsTs").glob("*.nii.gz")):
        volume = read_volume(path)
        counts = np.bincount(volume.array.ravel(), minlength=max(labels.values()) + 1) * volume.grid.voxel_ml
        smallest = {name: min(smallest[name], counts[label] / grid.voxel_ml) for name, label in labels.items()}
    return [name for name, voxels in smallest.items() if voxels > SMALLEST_VOXELS]


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95% interval (bootstrap over patients, 10,000 draws)."""
    random, values = np.random.default_rng(0), np.asarray(differences)
    means = values[random.integers(len(values), size=(10_000, len(values)))].mean(axis=1)
    return float(values.mean()), *map(float, np.percentile(means, [2.5, 97.5]))


def table(work: Path) -> None:
    """Print all arms that are done, baselines and differences."""
    organs = large_organs(work)
    print(
        f"{len(organs)} of 18 organs have more than {SMALLEST_VOXELS} voxels in every test patient: {', '.join(organs)}"
    )
    width, errors = best_gaussian(work)
    test = sorted(pets(work, LOW, "Ts", "images"))
    print(f"low-dose PET as it is: body MAE {np.mean(body_errors(work, test, 'Ts', 0.0)):.4f} SUV")
    print(f"best Gaussian (FWHM {width:g} mm): body MAE {np.mean(errors):.4f} SUV")
    done = label_baselines(work, organs)
    for name, values in done.items():
        print(f"{name}: Dice {np.mean(values):.3f}")
    print("arm                  Dice    IoU  HD95 mm  ASD mm   MAE SUV  of Gaussian  liver %  lung %")
    for name in ARMS:
        path = work / "predictions" / name / "summary.json"
        if path.exists():
            cases = json.loads(path.read_text())["cases"]
            done[name] = [mean(regions, organs, "dice") for regions in cases.values()]
            parts = [np.mean([mean(regions, organs, metric) for regions in cases.values()]) for metric in METRICS]
            mae = np.mean([regions["whole_body"]["mae"] for regions in cases.values()])
            bias = [np.mean([r[f"organ:{o}"]["suv_mean_bias"] for r in cases.values()]) for o in ("liver", "lung")]
            numbers = "{:.3f}  {:.3f}  {:7.2f}  {:6.2f}".format(*parts)
            print(f"{name:18s}  {numbers}   {mae:.4f}  {mae / np.mean(errors):11.2f}  {bias[0]:+7.1f}  {bias[1]:+6.1f}")
    for one, other in PAIRS:
        if {one, other} <= {*done}:
            mean_, low, high = interval([100 * (a - b) for a, b in zip(done[one], done[other])])
            print(f"Dice of {one} - {other}: {mean_:+.2f} points (95% {low:+.2f} to {high:+.2f}, {TEST} patients)")


METRICS = ("dice", "iou", "hd95", "asd")
PAIRS = [
    ("ldos", "ldpet"),
    ("ldos", "label_atlas"),
    ("ldos", "ldos_no_decay"),
    ("fdpet", "ldpet"),
    ("ldos", "ldos_not_residual"),
    ("mismatch_augmented", "mismatch"),
]


def mean(regions: dict[str, Any], organs: Sequence[str], metric: str) -> float:
    values = [regions[f"organ:{organ}"][metric] for organ in organs]
    return float(np.mean([value for value in values if value is not None]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[], metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--steps", type=int, default=3000, help="of the optimizer, in every arm (default: 3000)")
    parser.add_argument("--table", action="store_true", help="print what is done")
    options = parser.parse_args()
    work = options.work.resolve()
    enter(work)
    import torch

    torch.set_num_threads(1)
    for name in options.arms:
        run_arm(work, name, options.steps)
    if options.table:
        table(work)


if __name__ == "__main__":
    main()
