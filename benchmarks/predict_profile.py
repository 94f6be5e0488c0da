"""CPU seconds of a prediction by part: one whole-body CT, one network, the whole process.

Run: python benchmarks/predict_profile.py [--size quick|full] [--window 32|96] [--features 8] [--steps 0.5 0.75 0.875]
The case and the networks are those of predict.py. CPU seconds (user and system, all threads) of each part: what a part
spends in another one that is listed counts there alone. "error" is that in SUV inside the body of a prediction with a
smaller overlap, against that with one half. The second table has the peak memory of the process (MiB) before the first
call of each part, and at the end.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from _measure import peak_mib, run_process
from predict import FEATURES, _case, prepare

PARTS = {
    "load the networks": [
        ("ct2pet.inference.choice", "load_trained"),
        ("ct2pet.api.prediction", "provenance_of_members"),
    ],
    "read the CT": [("ct2pet.inference.case_prediction", "read_input")],
    "district map": [("ct2pet.inference.district_maps", "DistrictMaps.of")],
    "resample and normalise": [("ct2pet.inference.predictor", "Predictor.predict")],
    "cut and average windows": [("ct2pet.inference.predictor", "predict_volume")],
    "network": [("ct2pet.inference.volumes", "_Windows.__call__")],
    "write the PET": [("ct2pet.inference.case_prediction", "write_volume")],
}
STEPS = ("0.5", "0.75", "0.875")


class Clock:
    """CPU seconds by part; of nested parts the inner one counts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, float] = {}
        self.part, self.since = "imports", 0.0

    def enter(self, part: str) -> str:
        """Add the time since the last call to the current part, which is returned, and begin ``part``."""
        now = time.process_time()
        self.seconds[self.part] = self.seconds.get(self.part, 0.0) + now - self.since
        before, self.part, self.since = self.part, part, now
        return before

    def timed(self, part: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            if part not in self.peaks:
                self.peaks[part] = peak_mib()
            before = self.enter(part)
            try:
                return function(*arguments, **options)
            finally:
                self.enter(before)

        return wrapper


def child(folder: Path, window: str, step: str, output: str) -> None:
    os.environ.update({f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")})
    clock = Clock()
    from ct2pet.cli.predict import main

    for part, places in PARTS.items():
        for module, name in places:
            owner: Any = import_module(module)
            *classes, function = name.split(".")
            for one in classes:
                owner = getattr(owner, one)
            setattr(owner, function, clock.timed(part, getattr(owner, function)))
    clock.enter("the rest")
    ct, maps = _case(folder)
    arguments = ["-i", str(ct), "-o", output, "--districts", str(maps), "-p", f"window{window}", "--disable_tta"]
    assert main([*arguments, "-step_size", step]) == 0
    clock.enter("")
    print(json.dumps({"seconds": clock.seconds, "peaks": {**clock.peaks, "the end": peak_mib()}}))


def error(folder: Path, one: str, other: str) -> str:
    import numpy as np

    from ct2pet.imageio import read_volume

    first, second = (read_volume(Path(path)).array for path in (one, other))
    difference = np.abs(first - second)[second > 0]
    return f"mean {difference.mean():.1e}, largest {difference.max():.1e} SUV"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("quick", "full"), default="quick")
    parser.add_argument("--window", choices=("32", "96"), default="32")
    parser.add_argument("--features", type=int, help="of the first stage of the network (default: that of predict.py)")
    parser.add_argument("--steps", nargs="+", default=STEPS, help="of the windows, as shares of a window")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        folder, *rest = arguments.child
        child(Path(folder), *rest)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update({f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")})
        FEATURES[arguments.size] = arguments.features or FEATURES[arguments.size]
        prepare(folder, arguments.size)
        outputs = {step: str(folder / f"step{step}.nii.gz") for step in arguments.steps}
        print(
            f"| windows of {arguments.window}³, step | {' | '.join(['imports', *PARTS, 'the rest', 'sum'])} | error |"
        )
        print(f"|{'---|' * (len(PARTS) + 5)}", flush=True)
        for step, output in outputs.items():
            told = run_process([sys.executable, __file__, "--child", name, arguments.window, step, output]).told
            seconds = [told["seconds"].get(part, 0.0) for part in ["imports", *PARTS, "the rest"]]
            cells = [f"{one:.2f}" for one in [*seconds, sum(seconds)]]
            print(
                f"| {step} | {' | '.join(cells)} | {error(folder, output, outputs[arguments.steps[0]])} |", flush=True
            )
        print(f"\n| peak MiB before | {' | '.join(told['peaks'])} |\n|{'---|' * (len(told['peaks']) + 1)}")
        print(f"| step {step} | {' | '.join(f'{one:.0f}' for one in told['peaks'].values())} |")


if __name__ == "__main__":
    main()
