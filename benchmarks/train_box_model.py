"""The model in the box, made anew: one network a district, trained on varied phantoms and on nothing else.

    python benchmarks/train_box_model.py WORK [--hours 1] [--cases 300] [--epochs 60]

Each call goes on where the last one ended, for at most ``--hours`` hours of two processes of one thread, and says which
trainings are not finished. When all are, the model is written to WORK/box_model.zip and its errors on phantoms that it
was not trained with are printed (SUV, inside the body, against the best constant).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

DATASET, METHOD, TESTS, SEED = "Dataset900_Box", "regression", 8, 900
PLANS = "ct2petPlans"
_AT_ONCE = 2
_LONGEST_SAVE = 300  # seconds until an interrupted training has written its checkpoint


def run(line: str) -> None:
    """A command by its name without ct2pet_, and its arguments."""
    name, *arguments = line.split()
    if code := import_module(f"ct2pet.cli.{name}").main(arguments):
        sys.exit(f"ct2pet_{line}: exit code {code}")


def make_data(work: Path, cases: int) -> list[str]:
    """Phantoms, plans and stores, where they are not there yet; the districts."""
    from ct2pet.phantom import FINE, Cohort, write_cohort

    raw = work / "raw" / DATASET
    if not (raw / "dataset.json").exists():
        write_cohort(raw, Cohort(cases, TESTS, SEED, FINE, varied=True), name="Varied phantoms", num_processes=2)
    plans = work / "preprocessed" / DATASET / f"{PLANS}.json"
    if not plans.exists():
        run(f"plan_and_preprocess -d {DATASET} -device cpu -gpu_memory_target 4 -np 2")
    names = json.loads(plans.read_text())["configurations"]
    return [name for name in names if name != "whole_body"]


def folder(work: Path, district: str) -> Path:
    return work / "results" / DATASET / f"{METHOD}__{PLANS}__{district}" / "fold_all"


def train_all(work: Path, districts: list[str], epochs: int, seconds: float) -> list[str]:
    """Train two districts at a time until ``seconds`` are over; those that are not finished."""
    end, waiting = time.monotonic() + seconds, [name for name in districts if not finished(work, name)]
    running: dict[str, subprocess.Popen] = {}
    while (waiting or running) and time.monotonic() < end:
        while waiting and len(running) < _AT_ONCE:
            name = waiting.pop(0)
            running[name] = start(name, epochs)
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


def start(district: str, epochs: int) -> subprocess.Popen:
    script = "import sys; from ct2pet.cli.train import main; sys.exit(main(sys.argv[1:]))"
    line = f"{DATASET} {METHOD} all -c {district} --num_epochs {epochs} -device cpu -num_workers 0 --c"
    return subprocess.Popen([sys.executable, "-c", script, *line.split()], env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_phantoms(work: Path) -> None:
    """Predict the held-out phantoms with the model in the archive, and print the answer of ct2pet_evaluate."""
    predictions = work / "predictions"
    images = work / "raw" / DATASET / "imagesTs"
    run(f"predict -i {images} -o {predictions} --model {work / 'box_model.zip'} -device cpu")
    run(f"evaluate -d {DATASET} -i {predictions}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="a folder for everything that is made")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=60)
    arguments = parser.parse_args()
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(arguments.work / kind)
    started = time.monotonic()
    districts = make_data(arguments.work, arguments.cases)
    left = 3600 * arguments.hours - (time.monotonic() - started)
    if waiting := train_all(arguments.work, districts, arguments.epochs, left):
        print(f"not finished: {', '.join(waiting)}; run this command again")
        return
    run(f"export_model {DATASET} -o {arguments.work / 'box_model.zip'} --half_precision")
    test_phantoms(arguments.work)


if __name__ == "__main__":
    main()
