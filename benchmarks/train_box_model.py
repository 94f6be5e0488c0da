"""Train the built-in model: one network for each district, only with varied phantoms.

    python benchmarks/train_box_model.py WORK [--hours 1] [--cases 128] [--processes 2]

Each call continues where the last one ended, for at most ``--hours`` hours, and prints which trainings are not
finished. When all are finished, the model is written to WORK/box.zip, and the errors on phantoms that it was not
trained with are printed (SUV, inside the body, against the best constant). The model that the package contains is this
file: ct2pet/sharing/box.zip.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from _commands import run

DATASET, METHOD, TESTS, SEED = "Dataset900_Box", "regression", 8, 900
PLANS = "ct2petPlans"
PATCH, FEATURES = 32, (8, 16, 32, 64)
EPOCHS = {"head": 32, "trunk": 64, "arms": 16, "legs": 40}
ITERATIONS, MEMORY_GIB, LAMBDA_L2 = 100, 4.0, 5.0
LESION_FRACTION = {"head": 0.2, "trunk": 0.3, "arms": 0.2, "legs": 0.2}
SOFT_TISSUE_HU, TUMOUR_WINDOW_HU = [-150.0, 250.0], [-20.0, 100.0]  # muscle and tumours in it differ by about 15 HU
NARROW = "legs"  # their planned window is about that of soft tissue
CARD = {
    "licence": "Apache-2.0",
    "reference": "only procedural phantoms of ct2pet, no patient image; normal uptake, lesions cannot be expected",
}
_LONGEST_SAVE = 300  # seconds until an interrupted training has written its checkpoint


def make_data(work: Path, cases: int, processes: int) -> list[str]:
    """Phantoms, plans and stores, where they are not there yet; the districts."""
    from ct2pet.api.planning import extract_fingerprint, plan
    from ct2pet.dataset import update_dataset_json
    from ct2pet.phantom import FINE, Cohort, write_cohort
    from ct2pet.planning.plans import WHOLE_BODY, Plans

    raw = work / "raw" / DATASET
    if not (raw / "dataset.json").exists():
        cohort = Cohort(cases, TESTS, SEED, FINE, varied=True)
        write_cohort(raw, cohort, name="Varied phantoms", num_processes=processes)
        update_dataset_json(raw, **CARD)
    path = work / "preprocessed" / DATASET / f"{PLANS}.json"
    if not path.exists():
        extract_fingerprint(DATASET, num_processes=processes)
        for_a_cpu(plan(DATASET, gpu_memory_target=MEMORY_GIB, device="cpu")).save(path)
    districts = [name for name in Plans.load(path).configurations if name != WHOLE_BODY]
    run(f"preprocess -d {DATASET} -c {' '.join(districts)} -np {processes}")
    return districts


def for_a_cpu(plans):
    """The plans with patches and networks that one thread trains in three to ten minutes a district.

    Phantoms are supine: patches are mirrored, and rarely rotated.
    """
    from ct2pet.planning.networks import plan_generator
    from ct2pet.planning.topology import unet_topology

    changed = {}
    for name, one in plans.configurations.items():
        patch = [min(PATCH, size) for size in one.patch_size]
        generator = plan_generator(unet_topology(patch, one.spacing, len(FEATURES)), FEATURES[0], FEATURES[-1])
        augmentation = replace(one.augmentation, rotation_probability=0.1, flip_axes=[2])
        ct = one.normalization["CT"]
        ct = replace(ct, windows=[TUMOUR_WINDOW_HU] if name == NARROW else [SOFT_TISSUE_HU, TUMOUR_WINDOW_HU])
        changed[name] = replace(
            one,
            patch_size=patch,
            augmentation=augmentation,
            normalization={**one.normalization, "CT": ct},
            sampling=replace(one.sampling, lesion_fraction=LESION_FRACTION.get(name, one.sampling.lesion_fraction)),
            mirror_axes=[2],
            networks={**one.networks, "generator": generator},
        )
    longest = max(EPOCHS.values())
    numbers = {"num_epochs": longest, "iterations_per_epoch": ITERATIONS, "decay_epochs": longest // 2}
    numbers["lambda_l2"] = LAMBDA_L2
    models = {**plans.models, METHOD: {**plans.hyperparameters(METHOD), **numbers}}
    return replace(plans, configurations=changed, models=models, segmenters=[])  # known maps, of no segmenter


def folder(work: Path, district: str) -> Path:
    return work / "results" / DATASET / f"{METHOD}__{PLANS}__{district}" / "fold_all"


def train_all(work: Path, districts: list[str], processes: int, seconds: float) -> list[str]:
    """Train ``processes`` districts at a time until ``seconds`` are over; those that are not finished."""
    end, waiting = time.monotonic() + seconds, [name for name in districts if not finished(work, name)]
    running: dict[str, subprocess.Popen] = {}
    while (waiting or running) and time.monotonic() < end:
        while waiting and len(running) < processes:
            name = waiting.pop(0)
            running[name] = start(name)
        time.sleep(2)
        for name in [name for name, process in running.items() if process.poll() is not None]:
            if code := running.pop(name).returncode:
                sys.exit(f"training {name}: exit code {code}")
    for process in running.values():
        process.send_signal(signal.SIGINT)
    for process in running.values():
        process.wait(_LONGEST_SAVE)
    return [name for name in districts if not finished(work, name)]


def finished(work: Path, district: str) -> bool:
    return (folder(work, district) / "checkpoint_final.pth").exists()


def start(district: str) -> subprocess.Popen:
    script = "import sys; from ct2pet.cli.train import main; sys.exit(main(sys.argv[1:]))"
    line = f"{DATASET} {METHOD} all -c {district} --num_epochs {EPOCHS[district]} -device cpu -num_workers 0 --c"
    return subprocess.Popen([sys.executable, "-c", script, *line.split()], env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_phantoms(work: Path) -> None:
    """Predict the held-out phantoms with the model in the archive, and print the table of ct2pet_evaluate."""
    predictions = work / "predictions"
    images = work / "raw" / DATASET / "imagesTs"
    run(f"predict -i {images} -o {predictions} --model {work / 'box.zip'} -device cpu")
    run(f"evaluate -d {DATASET} -i {predictions}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--cases", type=int, default=128)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--districts", nargs="+", help="train only these in this call")
    arguments = parser.parse_args()
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(arguments.work / kind)
    started = time.monotonic()
    districts = make_data(arguments.work, arguments.cases, arguments.processes)
    left = 3600 * arguments.hours - (time.monotonic() - started)
    train_all(arguments.work, arguments.districts or districts, arguments.processes, left)
    if waiting := [name for name in districts if not finished(arguments.work, name)]:
        print(f"not finished: {', '.join(waiting)}; run this command again")
        return
    archive = arguments.work / "box.zip"
    run(f"export_model -d {DATASET} -o {archive} --half_precision")
    test_phantoms(arguments.work)


if __name__ == "__main__":
    main()
