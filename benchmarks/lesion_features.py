"""Lesions that the CT shows, detected by boosted trees on features of each voxel, and added to a predicted PET.

Run: python benchmarks/lesion_features.py WORK [--fresh 60]
WORK: the folder of lesions.py, with its phantoms, its plans and the predictions of its arm ``default``. The features
of a voxel describe the CT around it (_voxel_features.py). The classifier learns from --fresh phantoms that are rich in
lesions (see lesion_detection.py): all voxels of shown lesions and 1500 others of each case.

Prints the processor time of each part, the share of shown lesions that are found with at most so many regions outside
lesions per scan in training and test cases, and a table by probability. This probability is corrected to the share of
lesion voxels in the training cases of WORK. Then it writes the predictions ``detected``: those of ``default``, with the
mean SUV of the shown lesions of the training cases where a lesion is more probable than not. lesions.py prints their
errors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from _detection_scores import HIDDEN, REGIONS_PER_SCAN, SHOWN, Case, sensitivities
from _voxel_features import voxel_features
from comparison import PHANTOM, Benchmark
from lesion_detection import cases, fresh_cases
from lesions import DISTRICT, masks, only_the_trunk
from sklearn.ensemble import HistGradientBoostingClassifier
from variants import DEFAULT

from ct2pet.api.evaluation import evaluate
from ct2pet.dataset import RawDataset
from ct2pet.files import atomic_path
from ct2pet.imageio import read_volume, write_volume
from ct2pet.layout import SUMMARY
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.case_on_grid import prepare_case
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.preprocessing.normalization import denormalize
from ct2pet.resampling import resample
from ct2pet.volume import Grid, Volume

_OTHERS_PER_CASE = 1500
_BACKGROUND = -99.0  # the logit outside the trunk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="the folder of lesions.py")
    parser.add_argument("--fresh", type=int, default=60, help="phantoms to train on")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    benchmark = Benchmark(work, work / "results", PHANTOM, 0, ("all",), DISTRICT)
    benchmark.use_folders()
    plans, dataset = PreprocessedDataset.find(PHANTOM).plans(DEFAULT), RawDataset(work / "raw" / PHANTOM)
    test, kept = list(cases(dataset, plans, "Ts")), work / f"lesion_logits_{arguments.fresh}.npz"
    if not kept.exists():
        found = detect(test, list(fresh_cases(plans, arguments.fresh, work / "fresh")), plans)
        with atomic_path(kept) as unfinished, unfinished.open("wb") as file:
            np.savez(file, *found)
    with np.load(kept) as stored:
        found = [stored[name] for name in stored]
    shares = [f"{s:.0f}% at ≤ {n}" for s, n in zip(sensitivities(test, found), REGIONS_PER_SCAN)]
    print(f"shown lesions: {', '.join(shares)} regions outside lesions per scan", flush=True)
    add_lesions(benchmark, dataset, plans, found)


def detect(test: Sequence[Case], known: Sequence[Case], plans: Plans) -> list[np.ndarray]:
    """The logarithm of the likelihood ratio of a lesion in the test cases, after training with the known ones."""
    started = time.process_time()
    features, lesion = samples(known, plans)
    print(f"{len(lesion)} voxels of {len(known)} cases: features {time.process_time() - started:.0f} s", flush=True)
    classifier = HistGradientBoostingClassifier(max_iter=250, l2_regularization=1.0, early_stopping=False)
    classifier.fit(features, lesion)
    print(f"with the training of the classifier {time.process_time() - started:.0f} s", flush=True)
    started = time.process_time()
    found = [logits(classifier, case, plans) - _log_odds(lesion.mean()) for case in test]
    print(f"prediction: {(time.process_time() - started) / len(test):.1f} s per case", flush=True)
    return found


def samples(known: Sequence[Case], plans: Plans) -> tuple[np.ndarray, np.ndarray]:
    """The features (N, features) of all voxels of shown lesions and of some others, and which ones are lesions (N)."""
    random, rows, lesion = np.random.default_rng(0), [], []
    for case in known:
        groups = case.groups[case.mask]
        inside, others = np.flatnonzero(groups == SHOWN), np.flatnonzero((groups != SHOWN) & (groups != HIDDEN))
        chosen = np.concatenate([inside, random.choice(others, _OTHERS_PER_CASE, replace=False)])
        rows.append(features_of(case, plans)[chosen])
        lesion.append(np.arange(len(chosen)) < len(inside))
    return np.concatenate(rows), np.concatenate(lesion)


def features_of(case: Case, plans: Plans) -> np.ndarray:
    """float32 (voxels of the mask, features)."""
    return voxel_features(denormalize(case.ct, plans.configuration(DISTRICT).normalization["CT"]), case.mask)


def logits(classifier: HistGradientBoostingClassifier, case: Case, plans: Plans) -> np.ndarray:
    """float32 (Z, Y, X), very low outside the trunk."""
    found = np.full(case.mask.shape, _BACKGROUND, np.float32)
    found[case.mask] = classifier.decision_function(features_of(case, plans))
    return found


def _log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def add_lesions(benchmark: Benchmark, dataset: RawDataset, plans: Plans, found: Sequence[np.ndarray]) -> None:
    """Write and evaluate the predictions ``detected``; ``found``: the logits of the test cases."""
    source, folder = (benchmark.work / "predictions" / name for name in ("default", "detected"))
    uptake = np.mean(np.concatenate([*_uptake_of_lesions(dataset)]))
    print(f"\nshown lesions of the training cases: mean {uptake:.2f} SUV", flush=True)
    for case, logit in zip(dataset.cases("Ts"), found):
        pet = read_volume(source / f"{case}.nii.gz")
        probable = resample(Volume((logit > 0).astype(np.float32), _grid(dataset, plans, case)), pet.grid).array
        hotter = pet.array + np.clip(probable, 0, 1) * np.maximum(uptake - pet.array, 0)
        write_volume(folder / f"{case}.nii.gz", pet.with_array(hotter.astype(np.float32)))
    only_the_trunk(benchmark, folder)
    (folder / SUMMARY).unlink(missing_ok=True)
    evaluate(PHANTOM, folder, lesions=masks(benchmark), num_processes=1)


def _uptake_of_lesions(dataset: RawDataset) -> Iterator[np.ndarray]:
    """The SUVs of the voxels of shown lesions in the training PETs."""
    for case in dataset.cases("Tr"):
        pet, lesions = (read_volume(dataset.file(name, case, "Tr")).array for name in ("PET", "lesions"))
        yield pet[lesions == SHOWN]


def _grid(dataset: RawDataset, plans: Plans, case: str) -> Grid:
    """That of the trunk of a test case, as the network has it."""
    images = {name: read_volume(dataset.file(name, case, "Ts")) for name in ("CT", "PET", "districts")}
    return prepare_case(images, images["districts"], plans.configuration(DISTRICT), plans.all_fields).grid


if __name__ == "__main__":
    main()
