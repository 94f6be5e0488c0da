"""Samples of a rectified flow against its own posterior mean: errors, calibration and false hot spots, on phantoms.

    python benchmarks/posterior.py WORK [--steps 3000] [--samples 8]

Trains ``methods/rectified_flow.py`` on the trunks of 24 phantoms (each network makes --steps steps; the means that the
flow is trained with are predictions of patients that were not used in their training), and predicts 8 others: the mean,
and --samples samples of each. What is finished stays in WORK and is not done again. Prints

* the mean absolute error in the trunk of the mean, of a sample and of the samples' mean;
* by SUV threshold the share of lesions that are detected, and the hot spots per scan outside lesions where the real PET
  has none (both as ct2pet_evaluate), of the mean and of a sample;
* of voxels and of organs' SUVmean: how many of the real values are inside the 90% interval, its mean width, and the
  continuous ranked probability score (CRPS). The interval of the samples is normal, with their mean and standard
  deviation; its rival is the mean with the standard deviation of its error in the other 7 patients (of the voxels with
  about the same predicted SUV; of the same organ).
* paired differences over the 8 patients, with 95% bootstrap intervals and p-values corrected by Holm for all of them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _commands import run
from scipy import ndimage, stats

import ct2pet.models
from ct2pet.dataset import open_dataset
from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.hot_spots import hot_spots
from ct2pet.evaluation.lesions import NEIGHBOURS
from ct2pet.evaluation.statistics import holm, paired_test
from ct2pet.imageio import read_volume, write_volume
from ct2pet.phantom import DEMO, write_dataset
from ct2pet.phantom.tissues import LABELS
from ct2pet.resampling import resample
from ct2pet.volume import Volume

DATASET, DISTRICT, PLANS, METHOD = "Dataset995_Posterior", "trunk", "ct2petPlans", "rectified_flow"
TRAIN, TEST, SEED, EPOCHS = 24, 8, 2410, 10
MEAN, LEVEL, LEAST_VOXELS = "mean", 0.9, 30
ct2pet.models.__path__.append(str(Path(__file__).with_name("methods")))  # methods of benchmarks alone


def prepare(work: Path) -> None:
    """The phantoms and their plans, where they are not there yet."""
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(work / kind)
    raw = work / "raw" / DATASET
    if not (raw / "dataset.json").exists():
        write_dataset(raw, num_train=TRAIN, num_test=TEST, seed=SEED, scanner=DEMO, num_processes=2)
    plans = work / "preprocessed" / DATASET / f"{PLANS}.json"
    if not plans.exists():
        run(f"plan_and_preprocess -d {DATASET} -c {DISTRICT} -m regression -device cpu -gpu_memory_target 4 -np 2")
        content = json.loads(plans.read_text())
        content["models"][METHOD] = {"inner_folds": 2}
        plans.write_text(json.dumps(content, indent=2))


def predict(work: Path, samples: int) -> None:
    """The mean and the samples of all test cases, on the grid of the real PETs."""
    from ct2pet.inference.predictor import Predictor
    from ct2pet.inference.trained_models import find_trained, load_trained
    from ct2pet.inference.volumes import WindowOptions

    wanted = [MEAN, *map(str, range(samples))]
    raw = open_dataset(DATASET)
    targets = [
        (case, name, work / "predicted" / name / f"{case}.nii.gz") for case in raw.cases("Ts") for name in wanted
    ]
    if all(path.exists() for _, _, path in targets):
        return
    trained = next(one for one in find_trained(work / "results") if one.model == METHOD)
    loaded = load_trained(trained, [DISTRICT])
    predictor = Predictor(loaded.districts, loaded.plans.all_fields, windows=WindowOptions(bfloat16=True))
    flow = loaded.districts[0].models[0].stages["flow"]
    planned: Any = flow.hyperparameters
    for case, name, path in targets:
        if path.exists():
            continue
        without_flow = {"noise": 0.0, "flow_steps": 0}
        flow.hyperparameters = replace(planned, **(without_flow if name == MEAN else {"sample": int(name)}))
        real = read_volume(raw.path("PET", case, "Ts"))
        ct = read_volume(raw.path("CT", case, "Ts"))
        districts = read_volume(raw.path("districts", case, "Ts"))
        pet = predictor.predict({"CT": ct}, districts, real.grid)["PET"]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(path, pet)
        print(f"{case}, {name}: predicted", flush=True)


class Case:
    """The voxels of one test case in the trunk: ``real``, ``mean`` (n) and ``samples`` (count, n) in SUV; ``organs``
    (n), labels of ct2pet.phantom.tissues."""

    def __init__(self, work: Path, case: str, count: int) -> None:
        raw = open_dataset(DATASET)
        pet = read_volume(raw.path("PET", case, "Ts"))

        def labels(kind: str) -> np.ndarray:
            return resample(read_volume(raw.path(kind, case, "Ts")), pet.grid, labels=True).array

        def predicted(name: str) -> Volume:
            return read_volume(work / "predicted" / name / f"{case}.nii.gz")

        inside = labels("districts") == raw.districts[DISTRICT]
        lesions = labels("lesions") > 0
        images = {name: predicted(name).array for name in (MEAN, *map(str, range(count)))}
        self.false_spots = {
            name: np.array(
                hot_spots(images[name], pet.array, inside, lesions, pet.grid.voxel_ml).false_hot_spots, dtype=float
            )
            for name in (MEAN, "0")
        }
        spots, count = ndimage.label(lesions & inside, NEIGHBOURS)
        peaks = {name: ndimage.maximum(images[name], spots, range(1, count + 1)) for name in (MEAN, "0")}
        self.detected = {name: np.array(found)[:, None] >= THRESHOLDS_SUV for name, found in peaks.items() if count}
        self.real, self.organs = pet.array[inside], labels("organs")[inside]
        self.mean = images.pop(MEAN)[inside]
        self.samples = np.stack([image[inside] for image in images.values()])

    def organ_means(self) -> dict[str, tuple[float, float, np.ndarray]]:
        """SUVmean by organ of at least LEAST_VOXELS voxels: real, of the mean, of the samples."""
        found = {}
        for name, label in LABELS.items():
            voxels = self.organs == label
            if voxels.sum() >= LEAST_VOXELS:
                means = (one[..., voxels].mean(-1) for one in (self.real, self.mean, self.samples))
                found[name] = (float(next(means)), float(next(means)), next(means))
        return found


def scores(real: np.ndarray, centre: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Coverage (0 to 1) of the 90% interval, its width and the CRPS (Gneiting and Raftery, 2007) of normal
    distributions, means over all values."""
    deviation = np.maximum(deviation, 1e-6)
    z = (real - centre) / deviation
    half = stats.norm.ppf((1 + LEVEL) / 2)
    crps = deviation * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    return np.array([np.mean(np.abs(z) <= half), np.mean(2 * half * deviation), np.mean(crps)])


def voxel_scores(cases: Sequence[Case]) -> dict[str, np.ndarray]:
    """By kind of interval (cases, 3)."""
    rows: dict[str, list[np.ndarray]] = {"samples": [], "errors of others": []}
    for number, case in enumerate(cases):
        rows["samples"].append(scores(case.real, case.samples.mean(0), case.samples.std(0, ddof=1)))
        others = [one for place, one in enumerate(cases) if place != number]
        seen, error = (np.concatenate(parts) for parts in zip(*((one.mean, one.real - one.mean) for one in others)))
        edges = np.unique(np.quantile(seen, np.linspace(0, 1, 21))[1:-1])
        edges = edges[edges > seen.min()]  # the first group is that below the first edge
        group, own = np.digitize(seen, edges), np.digitize(case.mean, edges)
        spread = np.array([np.sqrt(np.mean(error[group == one] ** 2)) for one in range(len(edges) + 1)])
        rows["errors of others"].append(scores(case.real, case.mean, spread[own]))
    return {name: np.stack(values) for name, values in rows.items()}


def organ_scores(cases: Sequence[Case]) -> dict[str, np.ndarray]:
    """By kind of interval (cases, 3)."""
    means = [case.organ_means() for case in cases]
    rows: dict[str, list[np.ndarray]] = {"samples": [], "errors of others": []}
    for number, own in enumerate(means):
        others = [one for place, one in enumerate(means) if place != number]
        known = {name: [one[name] for one in others if name in one] for name in own}
        names = [name for name in own if len(known[name]) > 2]
        real, centre = (np.array([own[name][kind] for name in names]) for kind in (0, 1))
        drawn = np.stack([own[name][2] for name in names])
        rows["samples"].append(scores(real, drawn.mean(1), drawn.std(1, ddof=1)))
        spread = [np.sqrt(np.mean([(one[0] - one[1]) ** 2 for one in known[name]])) for name in names]
        rows["errors of others"].append(scores(real, centre, np.array(spread)))
    return {name: np.stack(values) for name, values in rows.items()}


def print_scores(title: str, found: Mapping[str, np.ndarray]) -> None:
    for name, rows in found.items():
        coverage, width, crps = rows.mean(0)
        print(f"{title}, {name}: {100 * coverage:.0f}% of the real values inside 90%, width {width:.3f} SUV, ", end="")
        print(f"CRPS {crps:.4f} SUV")


def print_paired(pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> None:
    """The second minus the first of each pair of values by case, all as one family of tests."""
    tests = {name: paired_test(*pair) for name, pair in pairs.items()}
    for (name, test), p in zip(tests.items(), holm([test.p_t for test in tests.values()])):
        low, high = test.ci95 or (math.nan, math.nan)
        shown = "" if test.p_t is None or p is None else f", paired t-test p = {test.p_t:.2g}, by Holm {p:.2g}"
        print(f"{name}: {test.mean:+.4f} [{low:+.4f}, {high:+.4f}]{shown}")


def print_results(cases: Sequence[Case]) -> None:
    errors = {
        "the mean": [float(np.abs(one.mean - one.real).mean()) for one in cases],
        "a sample": [float(np.abs(one.samples[0] - one.real).mean()) for one in cases],
        "the samples' mean": [float(np.abs(one.samples.mean(0) - one.real).mean()) for one in cases],
    }
    print(", ".join(f"MAE of {name} {np.mean(values):.3f} SUV" for name, values in errors.items()))
    lesions = sum(len(one.detected[MEAN]) for one in cases if one.detected)
    for name, title in ((MEAN, "the mean"), ("0", "a sample")):
        found = np.concatenate([one.detected[name] for one in cases if one.detected]).mean(0)
        false = np.mean([one.false_spots[name] for one in cases], axis=0)
        shown = (f"SUV {level:g}: {100 * a:.0f}%, {b:.2f}" for level, a, b in zip(THRESHOLDS_SUV, found, false))
        print(f"{lesions} lesions, detected, and false hot spots per scan, {title}: {'; '.join(shown)}")
    intervals = {"voxels": voxel_scores(cases), "organs": organ_scores(cases)}
    for title, own in intervals.items():
        print_scores(title, own)
    pairs = {
        f"MAE [SUV], {name} - the mean": (errors["the mean"], errors[name])
        for name in ("a sample", "the samples' mean")
    }
    for at, level in enumerate(THRESHOLDS_SUV[:3]):
        spots = [[float(one.false_spots[name][at]) for one in cases] for name in (MEAN, "0")]
        pairs[f"false hot spots from SUV {level:g}, a sample - the mean"] = (spots[0], spots[1])
    for title, own in intervals.items():
        crps = [own[kind][:, 2].tolist() for kind in ("errors of others", "samples")]
        pairs[f"CRPS [SUV], {title}, samples - errors of others"] = (crps[0], crps[1])
    print_paired(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--steps", type=int, default=3000, help="of each network (default: 3000)")
    parser.add_argument("--samples", type=int, default=8, help="of each patient (default: 8)")
    options = parser.parse_args()
    work = options.work.resolve()
    prepare(work)
    import torch

    torch.set_num_threads(1)
    length = f"--num_epochs {EPOCHS} --iterations_per_epoch {options.steps // EPOCHS}"
    if not any((work / "results").glob(f"*/{METHOD}__*/fold_all/checkpoint_final.pth")):
        run(f"train {DATASET} {METHOD} all -c {DISTRICT} {length} -device cpu -num_workers 0 --c")
    predict(work, options.samples)
    print_results([Case(work, case, options.samples) for case in open_dataset(DATASET).cases("Ts")])


if __name__ == "__main__":
    main()
