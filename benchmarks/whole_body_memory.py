"""Peak memory of each command on a whole-body CT of 512 x 512 voxels and over 300 slices.

Run: python benchmarks/whole_body_memory.py [FOLDER]
Makes a clinical phantom from head to toe to train on and one from the skull base to the thigh to predict, and prints
the peak resident memory (GiB) and the minutes of every command, each in a process of its own. The networks are trained
for a single step, because memory does not depend on the quality.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

DATASET = "Dataset998_WholeBody"
PHANTOMS = """
from pathlib import Path
from ct2pet.imageio import read_grid
from ct2pet.phantom import CLINICAL, write_dataset

folder = Path({folder!r})
write_dataset(folder, num_train=1, num_test=1, seed=2, scanner=CLINICAL)
for image in sorted(folder.glob("images*/*")):
    print(image.name, "CT of", *read_grid(image).shape, "voxels (Z, Y, X)", flush=True)
"""


def measured(name: str, *arguments: str) -> float:
    """Run a command of ct2pet; print its peak memory and time, and return the memory (GiB). Stops where it fails."""
    code = f"import sys; from ct2pet.cli.{name} import main; sys.exit(main({list(arguments)!r}))"
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code])  # this small process: a child inherits its parent's peak
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"ct2pet_{name} failed")
    minutes = (time.monotonic() - started) / 60
    peak = usage.ru_maxrss / 2**20
    print(f"ct2pet_{name} {' '.join(arguments)}: peak {peak:.2f} GiB, {minutes:.1f} min", flush=True)
    return peak


def main(folder: Path) -> None:
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(folder / kind)
    raw = folder / "raw" / DATASET
    subprocess.run([sys.executable, "-c", PHANTOMS.format(folder=str(raw))], check=True)
    images, predictions = str(raw / "imagesTs"), folder / "predictions"
    measured("plan_and_preprocess", "-d", DATASET, "-np", "1")
    measured("train", DATASET, "pix2pix", "all", "--num_epochs", "1", "--iterations_per_epoch", "1")
    measured("predict", "-i", images, "-o", str(predictions), "-step_size", "1")
    measured("predict", "-i", images, "-o", str(folder / "on_ct"), "-step_size", "1", "--grid", "ct")
    measured("evaluate", "-d", DATASET, "-i", str(predictions), "-np", "1")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as temporary:
            main(Path(temporary))
