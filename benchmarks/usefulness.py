"""Whether a synthetic PET helps a classifier of CTs, on nodule phantoms: benign or malignant.

    python benchmarks/usefulness.py WORK [--seeds 12] [--sizes 40 160]

Arms, each a small CNN with two input channels and as many steps: the CT alone (the PET is 0), the CT with the PET of
the built-in model, the CT with the PET of a generator, the CT with the real PET (the upper bound). The generator is a
regression that is trained with pairs of CT and PET of --generator patients, without their diagnoses. A further arm is
trained with the CTs of these patients, too, and with their diagnoses: an alternative use of these patients.

Each seed draws as many patients as --sizes says (a quarter of them chooses the weights) out of --pool others; the
--test patients are others again. So no classifier uses a PET that the generator predicted for one of its training
patients, for which it could repeat the real uptake.

The CT does not show the nodule of every third patient. These are trained on with the others and evaluated separately:
their CTs, and functions of them such as a synthetic PET, do not depend on the class.

Prints AUCs with 95% bootstrap intervals over patients and runs, differences to the CT alone, and p-values corrected by
Holm for all of them. What is finished stays in WORK and is not done again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from _nodule_pets import (
    BOX,
    CT,
    GENERATOR,
    REAL,
    is_hidden,
    label_of,
    name_of,
    read_slices,
    train_generator,
    use_folders,
    write_slices,
)

from ct2pet.evaluation.statistics import holm
from ct2pet.files import read_json, write_json
from ct2pet.phantom.nodules import CLASSES
from ct2pet.study.classification import ClassifierOptions, train_classifier
from ct2pet.study.slices import Slices
from ct2pet.study.statistics import auc, auc_difference, auc_interval, gain_share_interval
from ct2pet.study.study import draw_patients
from ct2pet.study.training_set import TrainingSet

ALONE, MORE, BOUND = "CT", "CT, generator's patients with diagnoses", "CT + real PET"
ARMS = {  # the PET of each arm
    ALONE: "",
    "CT + PET of the built-in model": BOX,
    "CT + PET of the generator": GENERATOR,
    MORE: "",
    BOUND: REAL,
}
CLASSIFIER, VALIDATION_SHARE = "small_cnn", 0.25
HEADER = [
    *("labelled patients", "nodules in CT", "input", "AUC [95%]", "difference to CT [95%]", "p (Holm)"),
    "95% interval of the share of the real PET's gain",
]


@dataclass(frozen=True)
class Patients:
    """The numbers of the patients: those of the generator, those that classifiers are trained on, and those of the
    test. No number is in two of them."""

    generator: range
    pool: range
    test: range

    @classmethod
    def of(cls, generator: int, pool: int, test: int) -> Patients:
        """As many patients of each kind, one kind after another."""
        ends = np.cumsum([0, generator, pool, test]).tolist()
        return cls(*(range(first, end) for first, end in pairwise(ends)))


def slices_of(folder: Path, numbers: Sequence[int], pet: str) -> Slices:
    """The slices of these patients with the PETs of a kind ("": 0 everywhere)."""
    images = []
    for number in numbers:
        kinds = read_slices(folder, number)
        images.append(np.stack([kinds[pet] if pet else np.zeros_like(kinds[CT]), kinds[CT]], axis=1))
    each = len(images[0])
    labels = np.repeat([label_of(number) for number in numbers], each).astype(np.int64)
    names = np.repeat([name_of(number) for number in numbers], each)
    return Slices(np.concatenate(images), labels, names, ("pet", "ct"), CLASSES)


def probabilities(work: Path, patients: Patients, arm: str, size: int, options: argparse.Namespace) -> np.ndarray:
    """(seeds, test patients): the probability of the second class."""
    folder, pet = work / "slices", ARMS[arm]
    paths = [work / "runs" / f"{size}__{arm.replace(' ', '_')}__{seed}.json" for seed in range(options.seeds)]
    if not all(path.exists() for path in paths):
        pool, test = (slices_of(folder, numbers, pet) for numbers in (patients.pool, patients.test))
        more = slices_of(folder, patients.generator, pet) if arm == MORE else None
    for seed, path in enumerate(paths):
        if path.exists():
            continue
        training, validation, _ = draw_patients(pool, size, VALIDATION_SHARE, seed)
        if more is not None:
            training = joined(training, more)
        how = ClassifierOptions(steps=options.classifier_steps)
        trained = train_classifier(CLASSIFIER, TrainingSet(training), validation, how, seed)
        write_json(path, trained.by_patient(test)[:, 1].round(6).tolist())
    return np.array([read_json(path) for path in paths])


def joined(first: Slices, second: Slices) -> Slices:
    """The slices of both."""
    parts = ([getattr(one, name) for one in (first, second)] for name in ("images", "labels", "patients"))
    return Slices(*(np.concatenate(part) for part in parts), first.channels, first.classes)


def print_uptake(folder: Path, test: Sequence[int], groups: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
    """Print the nodules' SUVmax in the slices by class, and its AUC without any training."""
    for kind in (REAL, BOX, GENERATOR):
        highest = np.array([read_slices(folder, number)[kind].max() for number in test])
        shown = []
        for name, group in groups.items():
            medians = [np.median(highest[group & (labels == label)]) for label in (0, 1)]
            area = auc(labels[group], highest[group])
            shown.append(f"{name}: median {medians[0]:.2f} and {medians[1]:.2f} SUV, AUC {area:.3f}")
        print(f"SUVmax of {kind} PETs, {CLASSES[0]} and {CLASSES[1]}, {'; '.join(shown)}")


def table(
    scores: Mapping[tuple[int, str], np.ndarray], groups: Mapping[str, np.ndarray], labels: np.ndarray
) -> list[list[str]]:
    """A row for each group, size and arm, below their header. ``scores``: (runs, patients) by size and arm; ``groups``:
    bool (patients,)."""
    rows, p_values = [], []
    for name, group in groups.items():
        for (size, arm), every in scores.items():
            own, runs = labels[group], every[:, group]
            alone, bound = (scores[size, other][:, group] for other in (ALONE, BOUND))
            mean = np.mean([auc(own, run) for run in runs])
            row = [str(size), name, arm, "{:.3f} [{:.3f}, {:.3f}]".format(mean, *auc_interval(own, runs))]
            found = None if arm == ALONE else auc_difference(own, alone, runs)
            row.append("{:+.3f} [{:+.3f}, {:+.3f}]".format(found.mean, *found.ci95) if found else "")
            share = None if arm in (ALONE, BOUND) else gain_share_interval(own, alone, runs, bound)
            row.append("[{:.0%}, {:.0%}]".format(*share) if share else "")
            rows.append(row)
            p_values.append(found.p if found else None)
    shown = ["" if p is None else f"{p:.3f}" for p in holm(p_values)]
    return [HEADER, *([*row[:5], p, *row[5:]] for row, p in zip(rows, shown))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--sizes", type=int, nargs="+", default=[40, 160], help="labelled patients of a run")
    parser.add_argument("--generator", type=int, default=200, help="patients of the generator")
    parser.add_argument("--pool", type=int, default=240, help="patients that runs draw from")
    parser.add_argument("--test", type=int, default=420, help="test patients")
    parser.add_argument("--steps", type=int, default=2000, help="of the generator")
    parser.add_argument("--classifier_steps", type=int, default=200)
    options = parser.parse_args()
    work = options.work.resolve()
    import torch

    torch.set_num_threads(1)
    patients = Patients.of(options.generator, options.pool, options.test)
    use_folders(work)
    train_generator(work, patients.generator, options.steps)
    write_slices(work / "slices", [*patients.pool, *patients.test, *patients.generator])
    labels = np.array([label_of(number) for number in patients.test])
    hidden = np.array([is_hidden(number) for number in patients.test])
    groups = {"shown": ~hidden, "hidden": hidden}
    print_uptake(work / "slices", patients.test, groups, labels)
    scores = {(size, arm): probabilities(work, patients, arm, size, options) for size in options.sizes for arm in ARMS}
    for row in table(scores, groups, labels):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
