"""Peak memory of ct2pet_predict with LDOS on a whole body in voxels of 2 mm.

Run: python benchmarks/ldos_memory.py FOLDER [--spacing 2]
Makes a phantom from head to toe to train with for one step (memory does not depend on how well) and one to predict, and
prints the voxels of the PET, the GiB that the input and both outputs take in memory (float32, float32 and uint8), and
the peak resident memory of the prediction.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from math import prod
from multiprocessing import get_context
from pathlib import Path

from whole_body_memory import measured

NAME = "Dataset998_FineVoxels"
FIELD_OF_VIEW_MM = (400.0, 600.0)  # front to back, left to right: the body with its arms down
BYTES = 4 + 4 + 1
ONE_STEP = ("--num_epochs", "1", "--iterations_per_epoch", "1", "-device", "cpu")


def make_dataset(folder: Path, spacing_mm: float) -> tuple[int, ...]:
    """Write both phantoms; the shape of the PET to predict."""
    from ct2pet.imageio import read_grid
    from ct2pet.phantom.lowdose import write_low_dose_dataset
    from ct2pet.phantom.scanner import DEMO_LOW_COUNTS
    from ct2pet.phantom.writer import Cohort

    matrix = tuple(round(length / spacing_mm) for length in FIELD_OF_VIEW_MM)
    scanner = replace(DEMO_LOW_COUNTS, pet_spacing=(spacing_mm,) * 3, pet_matrix=matrix)
    write_low_dose_dataset(folder, Cohort(1, 1, 3, scanner))
    return read_grid(next((folder / "imagesTs").glob("*.nii.gz"))).shape


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--spacing", type=float, default=2.0, metavar="MM", help="of the PET (default: 2)")
    options = parser.parse_args()
    folder = options.folder.resolve()
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"ct2pet_{kind}"] = str(folder / kind)
    raw = folder / "raw" / NAME
    with get_context("spawn").Pool(1) as pool:  # a child inherits the peak of this process, which should stay small
        shape = pool.apply(make_dataset, (raw, options.spacing))
    measured("plan_and_preprocess", "-d", NAME, "-np", "1", "-device", "cpu")
    measured("train", NAME, "ldos", "all", *ONE_STEP)
    predict = f"-i {raw / 'imagesTs'} -o {folder / 'predictions'} -m ldos -f all -device cpu -step_size 1"
    peak = measured("predict", *predict.split())
    images = prod(shape) * BYTES / 2**30
    print(f"PET of {' x '.join(map(str, shape))} voxels (Z, Y, X): input and outputs {images:.2f} GiB in memory")
    print(f"ct2pet_predict: peak {peak:.2f} GiB, {peak - images:.2f} GiB beside the images, libraries included")


if __name__ == "__main__":
    main()
