"""The quality of MedScanGAN's images of nodule phantoms, and their effect on a classifier.

    python benchmarks/medscangan.py WORK [--epochs N] [--seeds N]
    python benchmarks/medscangan.py WORK --only images

250 training and 200 test patients of the nodule phantom, through the commands: plans ``medscangan_64mm`` (32 x 32
pixels of 2 mm, PET and CT), training on a CPU, and the augmentation study (40 patients a run, 10 of them for
validation; the oracle adds the 210 others; 5 added images for each real one). ``--only images`` measures the images
alone.

The requested class is confirmed by a classifier that was trained on the test patients, which are not training patients
of the generator. Targets: a Fréchet distance below the PCA-Gaussian's, coverage 0.5, 70% of the classes confirmed, at
most 3% near-copies. Finished steps are kept in WORK; a second start continues.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _commands import run

if TYPE_CHECKING:
    from ct2pet.study.classification import TrainedClassifier
    from ct2pet.study.slices import Slices

TRAIN, TEST, SEED = 250, 200, 19
NAME, PLANS = "Dataset104_Nodules", "medscangan_64mm"
SLICES = "--kinds pet ct --size_mm 64 --pixels 32 --slices_per_case 3"


def make_data(work: Path) -> None:
    from ct2pet.phantom import write_nodule_dataset

    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(work / kind)
    folder = work / "raw" / NAME
    if not (folder / "dataset.json").exists():
        write_nodule_dataset(folder, num_train=TRAIN, num_test=TEST, seed=SEED)
    if not (work / "preprocessed" / NAME / f"{PLANS}.json").exists():
        run(f"plan_and_preprocess -d 104 -p {PLANS} -device cpu -np 1")


def train(epochs: int) -> None:
    started = time.process_time()
    run(f"train 104 medscangan all -p {PLANS} -device cpu -num_workers 0 --num_epochs {epochs} --c")
    print(f"training, what was left of it: {time.process_time() - started:.0f} CPU s")


def measure_images(work: Path) -> None:
    """The images beside real ones, the class confirmed by a classifier of patients that are not training patients of
    the generator."""
    from ct2pet.api.augmentation_study import GeneratorChoice, load_sampler
    from ct2pet.study.cases import labelled_cases, read_condition
    from ct2pet.study.classification import ClassifierOptions, train_classifier
    from ct2pet.study.features import random_features
    from ct2pet.study.generators import fit_pca_gaussian
    from ct2pet.study.image_report import image_report, text
    from ct2pet.study.slices import SliceOptions, read_slices
    from ct2pet.study.study import draw_patients
    from ct2pet.study.synthetic_images import sampled_slices
    from ct2pet.study.training_set import TrainingSet

    options, kinds, raw = SliceOptions(64.0, 32, 3), ("pet", "ct"), work / "raw" / NAME
    condition = read_condition(raw)
    training, test = (read_slices(labelled_cases(raw, split, kinds), condition[1], options) for split in ("Tr", "Ts"))
    known, validation, _ = draw_patients(test, None, 0.25, 0)
    classifier = train_classifier("small_cnn", TrainingSet(known), validation, ClassifierOptions(steps=400), 0)
    gan, _ = load_sampler(NAME, GeneratorChoice("medscangan", PLANS), "cpu", kinds, condition, options)
    reports, confirmed = {}, {"real training patients": share_confirmed(training, classifier)}
    for name, sampler in (("MedScanGAN", gan), ("PCA-Gaussian", fit_pca_gaussian(training))):
        made = sampled_slices(sampler, test)
        confirmed[name] = share_confirmed(made, classifier)
        reports[name] = image_report(made, training, test, [random_features(2)])
        print(f"\n{name}, synthetic (real):\n{text(reports[name])}", flush=True)
    print("\nclass confirmed: " + ", ".join(f"{name} {share:.0%}" for name, share in confirmed.items()))
    own, baseline = (reports[name]["features"]["random network"]["synthetic"] for name in reports)
    distance, copies = own["frechet"], reports["MedScanGAN"]["privacy"]["share_below"]
    verdict(f"Fréchet distance {distance:.1f} (PCA-Gaussian {baseline['frechet']:.1f})", distance < baseline["frechet"])
    verdict(f"coverage {own['coverage']:.2f} (0.5)", own["coverage"] >= 0.5)
    verdict(f"class confirmed in {confirmed['MedScanGAN']:.0%} (70%)", confirmed["MedScanGAN"] >= 0.7)
    verdict(f"near-copies {copies:.1%} (3%)", copies <= 0.03)


def share_confirmed(slices: Slices, classifier: TrainedClassifier) -> float:
    """The share of slices whose class the classifier names."""
    return float((classifier.probabilities(slices).argmax(axis=1) == slices.labels).mean())


def verdict(name: str, reached: bool) -> None:
    print(f"{'reached' if reached else 'NOT REACHED'}: {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--epochs", type=int, default=13)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--only", choices=("images",))
    parsed = parser.parse_args()
    make_data(parsed.work.resolve())
    train(parsed.epochs)
    measure_images(parsed.work.resolve())
    if parsed.only is None:
        study = f"--classifiers small_cnn --ratios 5 --seeds {parsed.seeds} --patients 40 --steps 200 {SLICES}"
        arms = "--arms classical oversampling mixup pca_gaussian gan gan_curated oracle"
        run(f"augmentation_study -d 104 -o {parsed.work / 'study'} -m medscangan -p {PLANS} {arms} {study} -device cpu")


if __name__ == "__main__":
    main()
