"""Tables of benchmarks/ldos.py: baselines, arms, and paired differences between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _label_atlas import Atlas, body_box, voted

from ct2pet.evaluation.statistics import holm, paired_test

LOW = "Dataset105_LowDose"
SMALLEST_VOXELS = 50
METRICS = ("dice", "iou", "hd95", "asd")
BIASES = (
    ("liver", "suv_mean_bias"),
    ("lung", "suv_mean_bias"),
    ("liver", "predicted_organ_suv_mean_bias"),
    ("lung", "predicted_organ_suv_mean_bias"),
)
DICE_PAIRS = [
    ("ldos", "ldpet"),
    ("ldos_denoising_1", "ldpet"),
    ("ldos", "sequential"),
    ("ldos", "ldos_no_decay"),
    ("ldos", "ldos_organ_suv_0"),
    ("ldos_organ_suv_1", "ldos_organ_suv_0"),
    ("ldos_organ_suv_0", "ldos_denoising_1"),
    ("fdpet", "ldpet"),
    ("fdpet", "label_atlas"),
    ("ldos", "label_atlas"),
    ("mismatch_matched", "ldos"),
    ("mismatch_augmented", "mismatch"),
    ("mismatch_augmented_matched", "mismatch_matched"),
]
MAE_PAIRS = [
    ("ldos", "best_gaussian"),
    ("ldos", "sequential"),
    ("ldos", "ldos_no_decay"),
    ("ldos", "ldos_organ_suv_0"),
    ("ldos_organ_suv_1", "ldos_organ_suv_0"),
    ("ldos_organ_suv_0", "ldos_denoising_1"),
]


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
    labels in voxels of the PET, which is about the largest possible value in these voxels."""
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


def large_organs(work: Path, dataset: str = LOW) -> list[str]:
    """The organs of more than 50 PET voxels in every test patient."""
    from ct2pet.imageio import read_volume

    raw = work / "raw" / dataset
    labels = json.loads((raw / "dataset.json").read_text())["targets"]["organs"]["labels"]
    grid = next(iter(pets(work, dataset, "Ts", "images").values())).grid
    smallest = dict.fromkeys(labels, np.inf)
    for path in sorted((raw / "organsTs").glob("*.nii.gz")):
        volume = read_volume(path)
        counts = np.bincount(volume.array.ravel(), minlength=max(labels.values()) + 1) * volume.grid.voxel_ml
        smallest = {name: min(smallest[name], counts[label] / grid.voxel_ml) for name, label in labels.items()}
    return [name for name, voxels in smallest.items() if voxels > SMALLEST_VOXELS]


def print_table(work: Path, rows: Mapping[str, bool]) -> None:
    """Print the baselines, those of ``rows`` (folders of predictions, and whether their PETs were learned) that exist,
    and paired differences."""
    organs = large_organs(work)
    names = ", ".join(organs)
    print(f"{len(organs)} organs have more than {SMALLEST_VOXELS} voxels in every test patient: {names}")
    width, errors = best_gaussian(work)
    test = sorted(pets(work, LOW, "Ts", "images"))
    print(f"low-dose PET as it is: body MAE {np.mean(body_errors(work, test, 'Ts', 0.0)):.4f} SUV")
    print(f"best Gaussian (FWHM {width:g} mm): body MAE {np.mean(errors):.4f} SUV")
    dice, mae = label_baselines(work, organs), {"best_gaussian": errors}
    for name, values in dice.items():
        print(f"{name}: Dice {np.mean(values):.3f}")
    print(
        "SUVmean bias [%]: of the true organ; pred.: predicted organ on the denoised PET against the true organ on the"
    )
    print("full-dose PET")
    print(
        "| arm | Dice | IoU | HD95 [mm] | ASD [mm] | MAE [SUV] | of the Gaussian | liver | lung | pred. liver | "
        "pred. lung |\n" + "|---" * 11 + "|"
    )
    for name, denoises in rows.items():
        path = work / "predictions" / name / "summary.json"
        if path.exists():
            cases = list(json.loads(path.read_text())["cases"].values())
            dice[name] = [organ_mean(regions, organs, "dice") for regions in cases]
            line = label_cells(cases, organs)
            if denoises:
                mae[name] = [regions["whole_body"]["mae"] for regions in cases]
                line += image_cells(cases, float(np.mean(errors)))
            print(" | ".join([f"| {name}", *line, *["–"] * (10 - len(line))]) + " |")
    points = {name: [100 * value for value in values] for name, values in dice.items()}
    print_differences([Compared("Dice [points]", DICE_PAIRS, points), Compared("body MAE [SUV]", MAE_PAIRS, mae)])


def label_cells(cases: Sequence[dict[str, Any]], organs: Sequence[str]) -> list[str]:
    """Dice, IoU, HD95 and ASD: means over patients and organs."""
    means = [np.mean([organ_mean(regions, organs, metric) for regions in cases]) for metric in METRICS]
    return [f"{mean:{form}}" for mean, form in zip(means, (".3f", ".3f", ".0f", ".1f"))]


def image_cells(cases: Sequence[dict[str, Any]], gaussian_mae: float) -> list[str]:
    """The error in the body, the same in that of the best Gaussian, and the bias of SUVmean."""
    mae = float(np.mean([regions["whole_body"]["mae"] for regions in cases]))
    biases = [np.mean([regions[f"organ:{organ}"][metric] for regions in cases]) for organ, metric in BIASES]
    return [f"{mae:.4f}", f"{mae / gaussian_mae:.3f}", *(f"{bias:+.1f}" for bias in biases)]


@dataclass(frozen=True)
class Compared:
    """A quantity of patients by arm, and the pairs of arms to compare it in."""

    what: str
    pairs: Sequence[tuple[str, str]]
    values: Mapping[str, Sequence[float]]


def print_differences(quantities: Sequence[Compared]) -> None:
    """Print mean differences of patients with their 95% interval (bootstrap) and the p value of the paired t-test,
    corrected for all that are printed (Holm)."""
    tests = {
        f"{one.what} of {first} - {second}": paired_test(one.values[second], one.values[first])
        for one in quantities
        for first, second in one.pairs
        if {first, second} <= {*one.values}
    }
    for (what, test), p in zip(tests.items(), holm([test.p_t for test in tests.values()])):
        low, high = test.ci95 or (np.nan, np.nan)
        print(f"{what}: {test.mean:+.4g} ({low:+.4g} to {high:+.4g}), p = {np.nan if p is None else p:.2g} (Holm)")


def organ_mean(regions: dict[str, Any], organs: Sequence[str], metric: str) -> float:
    """The mean of a metric over the organs that have it."""
    values = [regions[f"organ:{organ}"][metric] for organ in organs]
    return float(np.mean([value for value in values if value is not None]))
