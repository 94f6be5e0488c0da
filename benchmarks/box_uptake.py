"""Uptake of fat and muscle away from tumours: real PETs of sarcoma patients, and phantoms' legs.

    python benchmarks/box_uptake.py FOLDER [--district legs]

FOLDER: a raw dataset: ``raw/Dataset102_STSLegs`` of box_sts.py or ``raw/Dataset900_Box`` of train_box_model.py. Prints
the medians over the cases of the median SUV of voxels, by CT number (at about the PET's resolution) and depth below the
surface, more than four voxels away from lesions; and of muscle (25 to 90 HU) and fat (-130 to -85 HU) without their
outermost voxels, three voxels away from lesions.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, distance_transform_edt, gaussian_filter

from ct2pet.dataset import RawDataset
from ct2pet.imageio import read_volume
from ct2pet.resampling import resample

BOUNDS_HU, DEPTHS_MM = (-130, -80, -20, 20, 80), (0, 3, 6, 10, 15, 25)
TISSUES_HU = {"muscle": (25, 90), "fat": (-130, -85)}
SURFACE_HU, FEWEST, FEWEST_OF_TISSUE, SMALLEST_DISTRICT = -500, 50, 200, 3000  # voxels


def observed(dataset: RawDataset, case: str, district: str) -> tuple[list[float], list[float]] | None:
    """The medians (SUV; NaN where voxels are few) by depth and CT number, and of muscle and fat; None where the
    district is small."""
    pet, ct, districts = (read_volume(dataset.file(kind, case, "Tr")) for kind in ("PET", "CT", "districts"))
    smooth = ct.with_array(gaussian_filter(ct.array.astype(np.float32), [2.5 / mm for mm in ct.grid.spacing]))
    hu = resample(smooth, pet.grid).array
    inside = resample(districts, pet.grid, labels=True).array == dataset.districts[district]
    lesion_file = dataset.file("lesions", case, "Tr")
    lesions = np.zeros(inside.shape, bool)
    if lesion_file.exists():
        lesions = resample(read_volume(lesion_file), pet.grid, labels=True).array > 0
    if inside.sum() < SMALLEST_DISTRICT:
        return None
    depth = distance_transform_edt(hu > SURFACE_HU, sampling=pet.grid.spacing)
    far = inside & ~binary_dilation(lesions, iterations=4)
    layers = [far & (depth > least) & (depth <= most) for least, most in itertools.pairwise(DEPTHS_MM)]
    parts = [layer & (hu > least) & (hu <= most) for layer in layers for least, most in itertools.pairwise(BOUNDS_HU)]
    outside = inside & ~binary_dilation(lesions, iterations=3)
    tissues = [binary_erosion((hu > least) & (hu < most)) & outside for least, most in TISSUES_HU.values()]
    return [median(pet.array, part, FEWEST) for part in parts], [
        median(pet.array, one, FEWEST_OF_TISSUE) for one in tissues
    ]


def median(values: np.ndarray, where: np.ndarray, fewest: int) -> float:
    return float(np.median(values[where])) if where.sum() > fewest else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--district", default="legs")
    arguments = parser.parse_args()
    dataset = RawDataset(arguments.folder)
    found = [observed(dataset, case, arguments.district) for case in dataset.cases("Tr")]
    warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
    profiles, tissues = (np.array(part) for part in zip(*filter(None, found)))
    print(f"{len(profiles)} cases, SUV; columns: HU from", *BOUNDS_HU)
    for (least, most), row in zip(
        itertools.pairwise(DEPTHS_MM), np.nanmedian(profiles, 0).reshape(len(DEPTHS_MM) - 1, -1)
    ):
        print(f"{least} to {most} mm deep:", *(f"{value:.2f}" for value in row))
    print(*(f"{name} {value:.3f}" for name, value in zip(TISSUES_HU, np.nanmedian(tissues, 0))))


if __name__ == "__main__":
    main()
