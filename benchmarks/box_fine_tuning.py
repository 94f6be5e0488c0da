"""The effect of a training from the built-in model, by tissue, in its training patients and in others.

    python benchmarks/box_fine_tuning.py WORK FOLD_FOLDER [--shares 0 0.25 0.5 0.75 1]

``FOLD_FOLDER`` is a training of box_sts.py in the same WORK, for example that of ``train box pilot2 --epochs 16`` in
``WORK/results_box_16/Dataset102_STSLegs/regression__box__legs/fold_4``. The networks have a mean of initial and trained
weights, by share of the trained ones (WiSE-FT, Wortsman et al., CVPR 2022; 0: the untrained model). Prints the mean
over patients of the MAE (SUV) in the body, and the parts of it, and of the mean error (bias), that lesions and the
other voxels by CT number contribute.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from box_sts import DATASET, LEGS, METHOD, folds, on_pet

from ct2pet.checkpoint import load_checkpoint
from ct2pet.imageio import read_volume
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.resampling import resample
from ct2pet.sharing import unpacked
from ct2pet.sharing.box import box_file
from ct2pet.training import TrainingOptions, TrainingRun
from ct2pet.training.final_validation import FinalValidation
from ct2pet.training.pretraining import find_checkpoint, take_weights

Weights = dict[str, torch.Tensor]
BOUNDS_HU = (-150, -60, 0, 30, 80, 200)


class Observer:
    """Predicts patients with given weights; the parts of their errors."""

    def __init__(self, work: Path, fold: Path) -> None:
        self.work = work
        plans = Plans.load(fold.parent / "plans.json")
        store = PreprocessedDataset(work / "preprocessed" / DATASET).store(plans, LEGS)
        options = TrainingOptions(device="cpu", show_progress=False)
        self.run = TrainingRun(METHOD, LEGS, plans, store, store.cases, [], fold, options)
        self.method = self.run.build()
        self.trained: Weights = load_checkpoint(fold / CHECKPOINT_FINAL)["model"]
        with unpacked(box_file()) as box:
            take_weights(self.method, find_checkpoint(box, LEGS))
        self.initial = {name: weight.clone() for name, weight in self.method.state_dict().items()}

    def set_share(self, share: float) -> None:
        """Use this share of the trained weights."""
        mixed = {name: torch.lerp(weight, self.trained[name], share) for name, weight in self.initial.items()}
        self.method.load_state_dict(mixed)

    def errors(self, name: str) -> np.ndarray:
        """The parts of absolute (first row) and signed error (SUV, second row) by CT number, and last of lesions."""
        stored = self.run.store.open(name)
        predicted = FinalValidation(self.run, self.method).predict(stored.read_all(), stored.grid)["PET"]
        real = read_volume(self.work / "raw" / DATASET / "targetsTr" / f"{name}.nii.gz", "SUV")
        lesions = read_volume(self.work / "raw" / DATASET / "lesionsTr" / f"{name}.nii.gz", "label").array > 0
        _, hu, body = on_pet(self.work, name)
        error = (resample(predicted, real.grid).array - real.array)[body]
        part = np.where(lesions[body], len(BOUNDS_HU) + 1, np.digitize(hu[body], BOUNDS_HU))
        sums = [np.bincount(part, one, len(BOUNDS_HU) + 2) for one in (np.abs(error), error)]
        return np.array(sums) / len(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="the folder of box_sts.py")
    parser.add_argument("fold", type=Path, help="the folder of a training in it (fold_NUMBER)")
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.25, 0.5, 0.75, 1])
    arguments = parser.parse_args()
    observer = Observer(arguments.work, arguments.fold)
    names = sorted(observer.run.store.cases)
    trained, others = [*folds(names).values()][int(arguments.fold.name.removeprefix("fold_"))]
    print("share of trained weights: MAE = parts by HU below, between and above", *BOUNDS_HU, "+ lesions; bias; SUV")
    for share in arguments.shares:
        observer.set_share(share)
        for title, cases in (("trained with", trained), ("others", others)):
            absolute, signed = np.mean([observer.errors(name) for name in cases], 0)
            texts = [" ".join(f"{value:+.3f}" for value in row) for row in (absolute, signed)]
            print(f"{share:g} {title} ({len(cases)}): {absolute.sum():.3f} = {texts[0]}; {texts[1]}", flush=True)


if __name__ == "__main__":
    main()
