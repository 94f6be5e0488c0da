"""Whether an augmentation study detects useful, useless and harmful training images, on the nodule phantom.

    python benchmarks/augmentation_study.py [--seeds N] [--classifier NAME] [--steps N] [--folder FOLDER]

Each seed draws 40 patients (10 of them for validation) out of 240, and trains on PET and CT slices. The arms add:

- oracle: the 200 other patients. AUC must rise by at least 0.06, with an interval above 0.
- random_labels: five times as many copies with random labels. AUC must fall by at least 0.05.
- duplicates: five times as many copies. AUC must stay within 0.02.
- pca_gaussian, classical: reported without a target.

All arms have the same number of steps; the test patients are others. The privacy report is computed for planted
generators that copy training images (unchanged, mirrored, with noise, shifted by a pixel); at least 95% of their
images must be below the first percentile of real images. The bounds are AUCs of the true SUV and of SUVmax in the
slices, without any training. Finished runs are kept in the folder, and a second start continues.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ct2pet.phantom.nodules import CLASSES, make_nodule_patient, scan_nodule
from ct2pet.study.classification import ClassifierOptions
from ct2pet.study.generators import fit_pca_gaussian, sample_all
from ct2pet.study.privacy import privacy_report
from ct2pet.study.results import text_table
from ct2pet.study.slices import SliceOptions, Slices, lesion_slices
from ct2pet.study.statistics import auc
from ct2pet.study.study import StudyData, StudyOptions, run_study

_FIRST_SEED = 190000
_OPTIONS = SliceOptions(size_mm=64.0, pixels=32, per_case=3)
_DRAWN, _POOL, _RATIO = 40, 240, 5.0
_ARMS = ("real", "oracle", "random_labels", "duplicates", "pca_gaussian", "classical")


def slices_of_patients(first: int, number: int) -> tuple[Slices, np.ndarray]:
    """PET and CT slices of phantoms, every second one malignant, and the true SUV of each patient."""
    cases = [make_nodule_patient(_FIRST_SEED + index, CLASSES[index % 2]) for index in range(first, first + number)]
    images = []
    for case in cases:
        volumes = scan_nodule(case)
        images.append(lesion_slices({"pet": volumes.pet, "ct": volumes.ct}, volumes.lesion, _OPTIONS))
    labels = np.repeat([CLASSES.index(case.nodule.diagnosis) for case in cases], _OPTIONS.per_case)
    patients = np.repeat([f"patient_{index:05d}" for index in range(first, first + number)], _OPTIONS.per_case)
    slices = Slices(np.concatenate(images), labels.astype(np.int64), patients, ("pet", "ct"), CLASSES)
    return slices, np.array([case.nodule.suv for case in cases])


def bounds(test: Slices, suv: np.ndarray) -> None:
    labels = np.array(list(test.patient_labels().values()))
    hottest = test.images[:, 0].max(axis=(1, 2)).reshape(-1, _OPTIONS.per_case).max(axis=1)
    print(f"AUC of the true SUV {auc(labels, suv):.3f}, of SUVmax in the slices {auc(labels, hottest):.3f}")


def verdict(name: str, reached: bool) -> None:
    print(f"{'reached' if reached else 'NOT REACHED'}: {name}")


def judge(study: dict) -> None:
    rows = {row["arm"]: row for row in study["arms"]}
    low = rows["oracle"]["auc_difference_ci95"][0]
    gain, harm, nothing = (rows[arm]["auc_difference"] for arm in ("oracle", "random_labels", "duplicates"))
    verdict(f"200 more real patients: AUC {gain:+.3f} (0.06), interval from {low:+.3f}", gain >= 0.06 and low > 0)
    verdict(f"random labels: AUC {harm:+.3f} (-0.05)", harm <= -0.05)
    verdict(f"duplicates: AUC {nothing:+.3f} (0 to 0.02 either way)", abs(nothing) <= 0.02)


def planted(training: Slices, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Copies of training images, unchanged and changed."""
    images = training.images[random.permutation(len(training))[:200]]
    noise = random.normal(0, 1, images.shape) * np.array([0.1, 15.0])[None, :, None, None]  # SUV, HU
    changes: dict[str, Callable[[], np.ndarray]] = {
        "copies": lambda: images,
        "mirrored": lambda: images[..., ::-1],
        "with noise of 0.1 SUV and 15 HU": lambda: images + noise,
        "shifted by 2 mm": lambda: np.roll(images, 1, axis=3),
    }
    return {name: make().astype(np.float32) for name, make in changes.items()}


def judge_privacy(training: Slices, test: Slices) -> None:
    def report(images: np.ndarray) -> float:
        labels = np.zeros(len(images), dtype=np.int64)
        made = replace(training, images=images, labels=labels, patients=np.full(len(images), "synthetic"))
        return privacy_report(made, training, test).share_below

    for name, images in planted(training, np.random.default_rng(0)).items():
        share = report(images)
        verdict(f"privacy, {name}: {share:.1%} below the first percentile of real images", share >= 0.95)
    gaussian = sample_all(fit_pca_gaussian(training), np.arange(200) % 2, 1, training.images.shape[1:])
    print(f"privacy, PCA-Gaussian, which copies nothing: {report(gaussian):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--test", type=int, default=400, help="test patients")
    parser.add_argument("--classifier", default="small_cnn")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--arms", nargs="+", default=_ARMS)
    parser.add_argument("--folder", type=Path, help="keeps the finished runs (default: a temporary one)")
    parsed = parser.parse_args()
    torch.set_num_threads(1)
    started = time.process_time()
    (training, _), (test, suv) = slices_of_patients(0, _POOL), slices_of_patients(_POOL, parsed.test)
    print(f"{_POOL} + {parsed.test} patients made in {time.process_time() - started:.0f} CPU s")
    bounds(test, suv)
    judge_privacy(training, test)
    options = StudyOptions(
        classifiers=(parsed.classifier,),
        arms=tuple(parsed.arms),
        ratios=(_RATIO,),
        seeds=parsed.seeds,
        patients=_DRAWN,
        training=ClassifierOptions(steps=parsed.steps),
    )
    with tempfile.TemporaryDirectory() as temporary:
        study = run_study(StudyData(training, test), options, parsed.folder or Path(temporary))
    print(text_table(study))
    if set(_ARMS) <= {row["arm"] for row in study["arms"]}:
        judge(study)
    print(f"{time.process_time() - started:.0f} CPU s in all")


if __name__ == "__main__":
    main()
