"""CPU seconds of preprocessing by part: one whole-body case, four districts, the whole process.

Run: python benchmarks/preprocess_profile.py [--size quick|full]
The case is that of preprocess.py. CPU seconds (user and system, all threads) of each part: what a part spends in
another one that is listed counts there alone. "imports" is the start of Python and the import of all packages used.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from _measure import run_process
from predict_profile import Clock
from preprocess import DISTRICTS, prepare

PARTS = {
    "read the images": ("ct2pet.preprocessing.preprocessor", "_read_all"),
    "resample, crop, normalise": ("ct2pet.preprocessing.preprocessor", "prepare_case"),
    "compress and write": ("ct2pet.preprocessing.storage", "DistrictStore.write"),
}
RUNS = 3


def child(folder: Path) -> None:
    os.environ.update({f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")})
    for store in (folder / "preprocessed").glob("*/ct2petPlans_*"):
        shutil.rmtree(store)
    clock = Clock()
    from ct2pet.cli.preprocess import main
    from ct2pet.imageio import image_suffixes

    for part, (module, name) in PARTS.items():
        owner = import_module(module)
        *classes, function = name.split(".")
        for one in classes:
            owner = getattr(owner, one)
        setattr(owner, function, clock.timed(part, getattr(owner, function)))
    import_module("ct2pet.api.preprocessing")
    image_suffixes()  # imports the readers
    clock.enter("the rest")
    assert main(["-d", "777", "-np", "1", "-c", *DISTRICTS]) == 0
    clock.enter("")
    print(json.dumps(clock.seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("quick", "full"), default="quick")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    parts = ["imports", *PARTS, "the rest"]
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), arguments.size)
        print(f"| run | {' | '.join([*parts, 'sum'])} |\n|{'---|' * (len(parts) + 2)}", flush=True)
        for run in range(1, RUNS + 1):
            told = run_process([sys.executable, __file__, "--child", name]).told
            seconds = [told.get(part, 0.0) for part in parts]
            print(f"| {run} | {' | '.join(f'{one:.2f}' for one in [*seconds, sum(seconds)])} |", flush=True)


if __name__ == "__main__":
    main()
