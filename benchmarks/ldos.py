"""LDOS on phantoms with thinned counts: the arms of the paper's Tables 2 and 4, and others.

    python benchmarks/ldos.py WORK --arms fdpet ldpet ldos [--steps 3000]
    python benchmarks/ldos.py WORK --table

60 training and 6 test patients, 5% dose of a scanner with a fifth of the demonstration's counts, 6.5 mm voxels. Every
arm makes equal steps on fold 0 (48 training patients, 12 patients for the choice of the Gaussian; each network of the
sequential arm makes as many steps), predicts the test patients through ct2pet_predict and is evaluated by
ct2pet_evaluate. The arms with a mismatch learn from labels that are 8 mm off near the diaphragm; they predict test
patients with the same mismatch, and those of the other arms, whose labels match. ``--table`` prints all arms that are
done, the baselines, and paired differences. An interrupted arm is continued.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from _commands import run
from _ldos_table import LOW, print_table

import ct2pet.models

TRAIN, TEST, SEED, DOSE = 60, 6, 105, 0.05
PATCH, BATCH, EPOCHS = 32, 1, 10
FULL, MISMATCH = "Dataset106_FullDose", "Dataset107_Mismatch"
MISMATCH_MM = 8.0
MATCHED = "_matched"


@dataclass(frozen=True)
class Arm:
    """``dataset``: which data; ``hyperparameters`` and ``augmentation``: in place of those of the plans; ``model``: the
    method."""

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
    "ldos_organ_suv_0": Arm(LOW, {"lambda_organ_suv": 0.0}),
    "ldos_organ_suv_1": Arm(LOW, {"lambda_organ_suv": 1.0}),
    "ldos_denoising_1": Arm(LOW, {"lambda_denoising": 1.0, "lambda_organ_suv": 0.0}),
    "sequential": Arm(LOW, {"inner_folds": 2}, model="ldos_sequential"),
    "mismatch": Arm(MISMATCH),
    "mismatch_augmented": Arm(MISMATCH, augmentation=SHIFTED),
}
ct2pet.models.__path__.append(str(Path(__file__).with_name("methods")))  # methods of benchmarks alone


def enter(work: Path) -> None:
    """Let the commands work in ``work``."""
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(work / kind)


def make_dataset(work: Path, name: str, dose: float = DOSE) -> None:
    """Write a dataset of a ``dose`` and its plans, where they are not there yet."""
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
        write_low_dose_dataset(raw, Cohort(TRAIN, TEST, SEED, scanner), dose_fraction=dose, num_processes=2)
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
    train_arm(work, name, arm, steps)
    for dataset, suffix in tested_on(arm):
        target = work / "predictions" / f"{name}{suffix}"
        predict_with(name, arm, work / "raw" / dataset / "imagesTs", target)
        run(f"evaluate -d {dataset} -i {target} -np 1")


def train_arm(work: Path, name: str, arm: Arm, steps: int) -> None:
    """Train an arm with the plans ``plans.NAME`` of its dataset, without predicting the validation patients."""
    from ct2pet.api.training import train
    from ct2pet.training.options import TrainingOptions

    folder = work / "preprocessed" / arm.dataset
    content = json.loads((folder / "ct2petPlans.json").read_text())
    content["plans_name"] = f"plans.{name}"
    content["models"][arm.model] = {**content["models"]["ldos"], **arm.hyperparameters}
    content["configurations"]["whole_body"]["augmentation"] |= arm.augmentation
    (folder / f"plans.{name}.json").write_text(json.dumps(content, indent=2))
    store = folder / f"plans.{name}_whole_body"
    if not store.exists():
        store.symlink_to(folder / "ct2petPlans_whole_body")
    options = TrainingOptions(
        num_epochs=EPOCHS, iterations_per_epoch=steps // EPOCHS, resume=True, num_workers=0, final_validation=False
    )
    train(arm.dataset, arm.model, 0, options, plans_name=f"plans.{name}", device="cpu")


def predict_with(name: str, arm: Arm, images: Path, target: Path) -> None:
    """Predict the cases of a folder by a trained arm."""
    run(f"predict -i {images} -o {target} -p plans.{name} -m {arm.model} -d {arm.dataset} -f 0 -device cpu")


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
        rows = {
            f"{name}{suffix}": arm.hyperparameters != LABELS_ALONE
            for name, arm in ARMS.items()
            for _, suffix in tested_on(arm)
        }
        print_table(work, rows)


if __name__ == "__main__":
    main()
