"""Known shifts (5 to 20 mm) and turns (2 to 6 degrees) of PETs: how far from the truth a registration brings them.

Run: python benchmarks/registration.py [--phantoms N] [--sts STS_NIFTI_FOLDER]
Errors are those of the corner of the common region that is farthest off, in mm, beside half a voxel of the PET.
Phantoms (those of the demo) fit exactly, so that the error is against the truth. Of real patients nobody knows how well
they fit: there the error of a pair that is displaced is against what the registration makes of the same pair
undisplaced ("against itself") and against the scanner ("against hardware"). It prints, too, whether pairs are left
alone as they are: by the rules, and where nothing is too short to be judged.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from ct2pet.imageio import read_volume
from ct2pet.phantom import DEMO, make_patient, scan
from ct2pet.registration import Registration, register
from ct2pet.volume import Grid, Volume


def pairs(phantoms: int, sts: Path | None) -> Iterator[tuple[str, Volume, Volume]]:
    for seed in range(phantoms):
        case = scan(make_patient(seed), DEMO)
        yield f"phantom {seed}", case.ct, case.pet
    for folder in sorted(sts.glob("STS_*")) if sts else ():
        yield (
            folder.name,
            read_volume(folder / "CT_image.nii.gz", "HU"),
            read_volume(folder / "PET_image.nii.gz", "SUV"),
        )


def corners(ct: Volume, pet: Volume) -> np.ndarray:
    (low, high), (other_low, other_high) = ct.grid.bounds, pet.grid.bounds
    ends = list(zip(np.maximum(low, other_low), np.minimum(high, other_high)))
    return np.array([(x, y, z) for x in ends[0] for y in ends[1] for z in ends[2]])


def random_move(centre: np.ndarray, random: np.random.Generator) -> np.ndarray:
    axis, direction = (vector / np.linalg.norm(vector) for vector in random.normal(size=(2, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(axis * random.uniform(2, 6), degrees=True).as_matrix()
    matrix[:3, 3] = centre + direction * random.uniform(5, 20) - matrix[:3, :3] @ centre
    return matrix


def farthest(points: np.ndarray, matrix: np.ndarray) -> float:
    return float(np.linalg.norm(points @ matrix[:3, :3].T + matrix[:3, 3] - points, axis=1).max())


def matrix_of(registration: Registration) -> np.ndarray:
    return np.array(registration.matrix)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=3)
    parser.add_argument("--moves", type=int, default=3, help="displacements a pair")
    parser.add_argument("--sts", type=Path)
    parsed = parser.parse_args()
    random = np.random.default_rng(0)
    print("pair       half voxel  as it is (by the rules, any size) displaced: against itself, hardware, CPU s")
    for name, ct, pet in pairs(parsed.phantoms, parsed.sts):
        points, half = corners(ct, pet), min(pet.grid.spacing) / 2
        automatic, own = register(ct, pet, always=False), register(ct, pet, least_extent_mm=0)
        print(
            f"{name:10} {half:8.1f}    {automatic.outcome} {own.outcome} {own.largest_mm:.1f} mm {100 * own.gain:.1f}%"
        )
        for _ in range(parsed.moves):
            known = random_move(points.mean(axis=0), random)
            away = Volume(pet.array, Grid.from_affine(pet.grid.shape, known @ pet.grid.affine), "SUV")
            start = time.process_time()
            found = register(ct, away, least_extent_mm=0)
            seconds = time.process_time() - start
            back = matrix_of(found) @ known
            itself = farthest(points, np.linalg.inv(matrix_of(own)) @ back)
            print(f"{'':60}{found.outcome} {itself:6.1f} {farthest(points, back):6.1f} {seconds:6.1f}", flush=True)


if __name__ == "__main__":
    main()
