"""One LDOS for any dose from 2 to 25% against models of one dose, on phantoms with thinned counts.

Run: python benchmarks/ldos_doses.py WORK [--models any_dose one_dose ldos] [--steps 3000]
WORK is that of benchmarks/ldos.py. Two models learn from PETs of 2% dose of its patients: ``one_dose`` from these
alone, ``any_dose`` from patches that are mixed with the full-dose PET to random doses from 2 to 25%
(training/dose_mixing.py). They and the arm ``ldos`` (5% dose) predict the test patients at 2, 5, 10 and 25% dose.
Prints the mean absolute error (SUV) in the outline of the low-dose PET, also that of the Gaussian that is best on the
validation patients at each dose, the mean Dice of the organs, and paired differences. What is done is not repeated.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _ldos_table import Compared, gaussian, large_organs, mean_dice, print_differences
from ldos import ARMS, LOW, Arm, enter, make_dataset, predict_with, train_arm

DOSES = (0.02, 0.05, 0.1, 0.25)
LOWEST = "Dataset108_LowestDose"
MODELS = {
    "one_dose": Arm(LOWEST),
    "any_dose": Arm(LOWEST, augmentation={"dose_fractions": [DOSES[0], DOSES[-1]]}),
    "ldos": ARMS["ldos"],
}
PAIRS = [("any_dose", "one_dose"), ("any_dose", "ldos")]
WIDTHS_MM = np.arange(4.0, 30.1, 2.0).tolist()


def scans(work: Path, cases: list[str]) -> dict[str, Any]:
    """The patients of the benchmark, scanned at all doses."""
    from ct2pet.phantom import make_patient, scan
    from ct2pet.phantom.scanner import DEMO_LOW_COUNTS

    with (work / "raw" / LOWEST / "cases.csv").open(newline="") as file:
        seeds = {row["case"]: int(row["seed"]) for row in csv.DictReader(file)}
    return {case: scan(make_patient(seeds[case]), DEMO_LOW_COUNTS, DOSES) for case in cases}


def test_cases(work: Path) -> list[str]:
    return sorted(path.name.split(".")[0] for path in (work / "raw" / LOWEST / "targetsTs").glob("*.nii.gz"))


def write_inputs(work: Path, found: dict[str, Any]) -> None:
    """The low-dose PETs of the test patients, one folder for each dose."""
    from ct2pet.imageio import write_volume

    for dose in DOSES:
        inputs_of(work, dose).mkdir(parents=True, exist_ok=True)
        for case, volumes in found.items():
            write_volume(inputs_of(work, dose) / f"{case}_0000.nii.gz", volumes.low_dose[dose])


def inputs_of(work: Path, dose: float) -> Path:
    return work / "doses" / f"{100 * dose:g}_percent"


def body_of(pet: Any) -> np.ndarray:
    """The outline of a PET, in which ct2pet_evaluate measures, too."""
    from ct2pet.districts.pet_outline import pet_outline

    return pet_outline(pet).array > 0


def error(image: np.ndarray, full: Any, body: np.ndarray) -> float:
    """The mean absolute error (SUV) in the body."""
    return float(np.abs(image - full.array)[body].mean())


def gaussian_errors(validation: dict[str, Any], test: dict[str, Any], dose: float) -> tuple[float, list[float]]:
    """The width (FWHM, mm) with the least error on the validation patients, and the errors of the test patients."""

    def errors(found: dict[str, Any], widths: Sequence[float]) -> np.ndarray:
        of_cases = []
        for volumes in found.values():
            low, body = volumes.low_dose[dose], body_of(volumes.low_dose[dose])
            of_cases.append([error(gaussian(low, width), volumes.pet, body) for width in widths])
        return np.array(of_cases)

    chosen = WIDTHS_MM[int(errors(validation, WIDTHS_MM).mean(0).argmin())]
    return chosen, errors(test, [chosen])[:, 0].tolist()


def results(work: Path, name: str, test: dict[str, Any], dose: float) -> tuple[list[float], list[float]]:
    """Predict the test patients at a dose; their errors (SUV) and mean Dice [points]."""
    from ct2pet.imageio import read_volume
    from ct2pet.resampling import resample

    folder = work / "doses" / f"{name}_{100 * dose:g}_percent"
    if not all((folder / f"{case}_organs.nii.gz").exists() for case in test):
        predict_with(name, MODELS[name], inputs_of(work, dose), folder)
    labels = json.loads((work / "raw" / LOWEST / "dataset.json").read_text())["targets"]["organs"]["labels"]
    numbers = [labels[organ] for organ in large_organs(work, LOWEST)]
    errors, dice = [], []
    for case, volumes in test.items():
        truth = read_volume(work / "raw" / LOWEST / "organsTs" / f"{case}.nii.gz")
        guess = resample(read_volume(folder / f"{case}_organs.nii.gz"), truth.grid, labels=True)
        errors.append(
            error(read_volume(folder / f"{case}_PET.nii.gz").array, volumes.pet, body_of(volumes.low_dose[dose]))
        )
        dice.append(100 * mean_dice(guess.array, truth.array, numbers))
    return errors, dice


def print_results(work: Path, names: list[str]) -> None:
    splits = json.loads((work / "preprocessed" / LOWEST / "splits_final.json").read_text())
    validation, test = scans(work, splits[0]["val"]), scans(work, test_cases(work))
    write_inputs(work, test)
    print("| dose | model | MAE [SUV] | of the best Gaussian | Dice [%] |\n|---|---|---|---|---|")
    compared = []
    for dose in DOSES:
        width, reference = gaussian_errors(validation, test, dose)
        print(f"| {dose:.0%} | Gaussian of {width:g} mm FWHM | {np.mean(reference):.4f} | 1.000 | – |")
        found = {name: results(work, name, test, dose) for name in names}
        for name, (errors, dice) in found.items():
            share = np.mean(errors) / np.mean(reference)
            print(f"| {dose:.0%} | {name} | {np.mean(errors):.4f} | {share:.3f} | {np.mean(dice):.1f} |", flush=True)
        for number, what in enumerate(("MAE [SUV]", "Dice [points]")):
            values = {name: both[number] for name, both in found.items()}
            compared.append(Compared(f"{dose:.0%} dose: {what}", PAIRS, values))
    print_differences(compared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument(
        "--models", nargs="+", choices=MODELS, default=[*MODELS], metavar="MODEL", help=", ".join(MODELS)
    )
    parser.add_argument("--steps", type=int, default=3000, help="of the optimizer, in every model (default: 3000)")
    options = parser.parse_args()
    work = options.work.resolve()
    enter(work)
    import torch

    torch.set_num_threads(1)
    make_dataset(work, LOWEST, DOSES[0])
    make_dataset(work, LOW)
    for name in options.models:
        train_arm(work, name, MODELS[name], options.steps)
    print_results(work, options.models)


if __name__ == "__main__":
    main()
