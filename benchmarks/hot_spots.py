"""How many hot spots outside the tumour real PETs have, all of them and those that the evaluation counts.

Run: python benchmarks/hot_spots.py STS_NIFTI_FOLDER
Prints, for each threshold of the evaluation, the mean and the largest number per scan: of all sizes, and from
``hot_spots.LEAST_ML`` on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ct2pet.districts.body import body_mask
from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.hot_spots import LEAST_ML, hot_spots
from ct2pet.imageio import read_volume
from ct2pet.resampling import resample
from ct2pet.volume import Volume


def counts(folder: Path) -> tuple[list[int], list[int]]:
    """At each threshold: the hot spots of all sizes, and those that count."""
    ct, pet, lesions = (read_volume(folder / f"{name}.nii.gz") for name in ("CT_image", "PET_image", "PET_mask"))
    body = Volume(body_mask(ct).astype(np.uint8), ct.grid, "label")
    inside = resample(body, pet.grid, labels=True).array > 0
    marked = lesions.array > 0
    found = (hot_spots(pet.array, pet.array, inside | marked, marked, ml) for ml in (LEAST_ML, pet.grid.voxel_ml))
    every, large = (list(spots.false_positives) for spots in found)
    return every, large


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder with STS_xxx/{CT_image,PET_image,PET_mask}.nii.gz")
    folders = sorted(parser.parse_args().source.glob("STS_*"))
    every, large = (np.array(rows) for rows in zip(*map(counts, folders)))
    print(f"{len(folders)} scans; hot spots outside the tumour per scan, mean (largest)")
    for level, threshold in enumerate(THRESHOLDS_SUV):
        shown = (f"{of[:, level].mean():6.2f} ({of[:, level].max()})" for of in (every, large))
        print(f"SUV >= {threshold:4.1f}: all {next(shown)}, from {LEAST_ML:g} ml on {next(shown)}")


if __name__ == "__main__":
    main()
