"""Whether two versions of ct2pet give the same results: losses, weights, predictions and metrics, bit for bit.

    PYTHONPATH=OLD_CHECKOUT python benchmarks/same_results.py OLD_WORK
    PYTHONPATH=NEW_CHECKOUT python benchmarks/same_results.py NEW_WORK --against OLD_WORK

Uses only the commands: a small phantom dataset, a short deterministic training of every method on one thread,
prediction of the test cases, evaluation. Digests go to WORK/digests.json. ``--against`` names every difference to
another run, and predicts once more with the models that the other run trained. Exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from _commands import run

METHODS = ("pix2pix", "cyclegan", "regression", "reggan", "regc2p")
DATASET = "Dataset077_Same"
SHORT = "--num_epochs 2 --iterations_per_epoch 4 -device cpu --deterministic -num_workers 0"


def enter(work: Path) -> None:
    """Let the commands work in ``work``."""
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(work / kind)


def make(work: Path) -> dict[str, Any]:
    """Run everything in ``work``; the digests."""
    from ct2pet.phantom import COARSE, write_dataset

    enter(work)
    write_dataset(work / "raw" / DATASET, num_train=4, num_test=2, seed=3, scanner=COARSE)
    run("plan_and_preprocess -d 077 -gpu_memory_target 0.39 -device cpu -np 1")
    return {method: make_method(work, method) for method in METHODS}


def make_method(work: Path, method: str) -> dict[str, Any]:
    run(f"train 077 {method} 0 {SHORT}")
    predictions = predict(work, work, method)
    run(f"evaluate -d 077 -i {predictions} -np 1")
    trainings = sorted((work / "results" / DATASET).glob(f"{method}__*/**/training_log.csv"))
    return {
        "losses": {str(path.parent.relative_to(work)): losses(path) for path in trainings},
        "weights": {str(path.parent.relative_to(work)): weights(path.parent) for path in trainings},
        "predictions": images(predictions),
        "metrics": json.loads((predictions / "summary.json").read_text())["cases"],
    }


def predict(work: Path, models: Path, method: str) -> Path:
    """Predict the test cases of ``work`` with the models of another run."""
    target = work / f"{method}_{'own' if models == work else 'other'}"
    os.environ.update(ct2pet_results=str(models / "results"))
    run(f"predict -i {work / 'raw' / DATASET / 'imagesTs'} -o {target} -m {method} -device cpu")
    os.environ.update(ct2pet_results=str(work / "results"))
    return target


def losses(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def weights(folder: Path) -> str:
    import torch

    state = torch.load(folder / "checkpoint_final.pth", weights_only=True)["model"]
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + state[name].numpy().tobytes())
    return digest.hexdigest()


def images(folder: Path) -> dict[str, str]:
    import nibabel
    import numpy as np

    files = sorted(folder.glob("*.nii.gz"))
    return {path.name: hashlib.sha256(np.asarray(nibabel.load(path).dataobj).tobytes()).hexdigest() for path in files}


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """The places in which two contents differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        return [line for name in names for line in differences(one.get(name), other.get(name), f"{where}/{name}")]
    return [] if one == other else [f"{where}: {one} here, {other} there"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, metavar="WORK", help="an empty folder")
    parser.add_argument("--against", type=Path, metavar="WORK", help="of another run")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    work = options.work.resolve()
    digests = make(work)
    (work / "digests.json").write_text(json.dumps(digests, indent=1))
    if options.against is None:
        return
    other = options.against.resolve()
    there = json.loads((other / "digests.json").read_text())
    found = differences(digests, there)
    for method in METHODS:
        again = images(predict(work, other, method))
        found += differences(again, there[method]["predictions"], f"/{method}, with the models of {other.name}")
    print(
        "\n".join(found) or f"{', '.join(METHODS)}: losses, weights, predictions and metrics are the same, bit for bit"
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
