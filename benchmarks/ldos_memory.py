"""Peak memory of ct2pet_predict with LDOS on a whole body in voxels of 2 mm.

Run: python benchmarks/ldos_memory.py [FOLDER]
Makes a phantom with a PET of 2 mm to train on for one step (memory does not depend on how well) and one to predict, and
prints the voxels of the PET, the GiB that the input and both outputs take as they are written (float32 twice, uint8),
and the peak resident memory (GiB) of the prediction and of a process that only loads the same libraries.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

NAME = "Dataset998_TwoMillimetres"
SPACING_MM, MATRIX = 2.0, (200, 300)
LOADED = "import torch, SimpleITK, scipy.ndimage, ct2pet.api.prediction, ct2pet.models.ldos"


def peak_gib(code: str) -> float:
    """The peak resident memory of a Python process that runs ``code``. Stops where it fails."""
    process = subprocess.Popen([sys.executable, "-c", code])
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("failed")
    return usage.ru_maxrss / 2**20


def command(line: str) -> str:
    name, *arguments = line.split()
    return f"import sys; from ct2pet.cli.{name} import main; sys.exit(main({arguments!r}))"


def make_dataset(folder: Path) -> None:
    from ct2pet.phantom.lowdose import write_low_dose_dataset
    from ct2pet.phantom.scanner import DEMO_LOW_COUNTS
    from ct2pet.phantom.writer import Cohort

    scanner = replace(DEMO_LOW_COUNTS, pet_spacing=(SPACING_MM,) * 3, pet_matrix=MATRIX)
    write_low_dose_dataset(folder, Cohort(1, 1, 3, scanner))


def main(folder: Path) -> None:
    from ct2pet.imageio import read_grid

    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(folder / kind)
    raw = folder / "raw" / NAME
    if not (raw / "dataset.json").exists():
        make_dataset(raw)
    peak_gib(command(f"plan_and_preprocess -d {NAME} -np 1 -device cpu"))
    peak_gib(command(f"train {NAME} ldos all --num_epochs 1 --iterations_per_epoch 1 -device cpu"))
    predict = f"predict -i {raw / 'imagesTs'} -o {folder / 'predictions'} -m ldos -f all -device cpu -step_size 1"
    peak, libraries = peak_gib(command(predict)), peak_gib(LOADED)
    shape = read_grid(next((raw / "imagesTs").glob("*.nii.gz"))).shape
    images = prod(shape) * (4 + 4 + 1) / 2**30
    print(f"PET of {' x '.join(map(str, shape))} voxels (Z, Y, X); input and outputs {images:.2f} GiB")
    print(f"ct2pet_predict: peak {peak:.2f} GiB, of which libraries {libraries:.2f} GiB")
    print(f"beside the images: {peak - images:.2f} GiB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as temporary:
            main(Path(temporary))
