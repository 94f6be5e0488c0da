"""Known shifts (5 to 20 mm) and turns (2 to 6 degrees) of PETs: how well a registration finds them again.

Run: python benchmarks/registration.py [--phantoms N] [--pieces] [--sts STS_NIFTI_FOLDER] [--moves N]
An error is how far the voxels of the body (CT above -300 HU where the PET is, too) lie from where they belong: the
mean, and the farthest. Two errors, because nobody knows how well a real pair fits as the scanner made it (a leg moves
between CT and PET):
- known motion: the answer for the displaced pair, with the known motion taken away, against the answer for the same
  pair undisplaced. What the displacement and where the search began leave behind;
- place: against the pair as it was made. On phantoms that is the truth; on real pairs the scanner's alignment.
Phantoms are those of the demo; pieces are 190 mm of a phantom's leg. All are registered, however short they are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import center_of_mass, label
from scipy.spatial.transform import Rotation

from ct2pet.imageio import read_volume
from ct2pet.phantom import DEMO, make_patient, scan
from ct2pet.registration import register
from ct2pet.volume import Box, Grid, Volume

_TISSUE_HU = -300
_PIECE_MM = np.array([190.0, 170.0, 170.0])
_TITLES = ("known motion, mean", "known motion, farthest", "place, mean", "place, farthest")
_HEIGHTS = (0.1, 0.2, 0.35)  # of the middle of a piece, from foot to head


def phantoms(number: int) -> Iterator[tuple[str, Volume, Volume]]:
    for seed in range(number):
        case = scan(make_patient(seed), DEMO)
        yield f"phantom {seed}", case.ct.to_canonical(), case.pet.to_canonical()


def pieces(number: int) -> Iterator[tuple[str, Volume, Volume]]:
    for name, ct, pet in phantoms(number):
        for height in _HEIGHTS:
            middle = leg(ct, round(height * ct.grid.shape[0]))
            yield f"{name} {height}", piece(ct, middle), piece(pet, middle)


def leg(ct: Volume, slice_index: int) -> np.ndarray:
    """x, y, z (mm) of the middle of the largest patch of tissue in a slice."""
    patches, _ = label(ct.array[slice_index] > _TISSUE_HU)
    largest = np.bincount(patches.ravel())[1:].argmax() + 1
    y, x = center_of_mass(patches == largest)
    return (ct.grid.affine @ [x, y, slice_index, 1])[:3]


def piece(volume: Volume, middle: np.ndarray) -> Volume:
    first = (middle[::-1] - _PIECE_MM / 2 - volume.grid.origin[::-1]) / volume.grid.spacing
    start = np.maximum(np.ceil(first), 0).astype(int)
    stop = np.minimum(start + (_PIECE_MM / volume.grid.spacing).astype(int), volume.grid.shape)
    return volume.crop(Box(tuple(start.tolist()), tuple(stop.tolist())))


def real_pairs(sts: Path) -> Iterator[tuple[str, Volume, Volume]]:
    for folder in sorted(sts.glob("STS_*")):
        ct, pet = read_volume(folder / "CT_image.nii.gz", "HU"), read_volume(folder / "PET_image.nii.gz", "SUV")
        yield folder.name, ct.to_canonical(), pet.to_canonical()


def body_points(ct: Volume, pet: Volume) -> np.ndarray:
    """x, y, z (mm) of every 50th voxel of tissue within the PET."""
    points = np.argwhere(ct.array > _TISSUE_HU)[::50, ::-1] @ ct.grid.affine[:3, :3].T + ct.grid.affine[:3, 3]
    low, high = pet.grid.bounds
    return points[((points >= low) & (points <= high)).all(axis=1)]


def random_move(centre: np.ndarray, random: np.random.Generator) -> np.ndarray:
    axis, direction = (vector / np.linalg.norm(vector) for vector in random.normal(size=(2, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(axis * random.uniform(2, 6), degrees=True).as_matrix()
    matrix[:3, 3] = centre + direction * random.uniform(5, 20) - matrix[:3, :3] @ centre
    return matrix


def errors(points: np.ndarray, matrix: np.ndarray) -> tuple[float, float]:
    """How far (mm) the points are moved: the mean and the farthest."""
    distances = np.linalg.norm(points @ matrix[:3, :3].T + matrix[:3, 3] - points, axis=1)
    return float(distances.mean()), float(distances.max())


def measure(name: str, ct: Volume, pet: Volume, moves: int, random: np.random.Generator) -> list[tuple[float, ...]]:
    """Half a voxel (the smallest side), known motion: mean, farthest; place: mean, farthest."""
    points, half = body_points(ct, pet), min(pet.grid.spacing) / 2
    own = register(ct, pet, least_extent_mm=0)
    rows = []
    print(f"{name}: undisplaced {own.outcome}, gain {100 * own.gain:.1f}%, ", end="")
    print("place {:.1f} mm (farthest {:.1f})".format(*errors(points, np.array(own.matrix))))
    for _ in range(moves):
        known = random_move(points.mean(axis=0), random)
        away = Volume(pet.array, Grid.from_affine(pet.grid.shape, known @ pet.grid.affine), "SUV")
        start = time.process_time()
        found = register(ct, away, least_extent_mm=0)
        seconds = time.process_time() - start
        back = np.array(found.matrix) @ known
        rows.append((half, *errors(points, np.linalg.inv(own.matrix) @ back), *errors(points, back)))
        print("    known motion {:.2f} mm ({:.2f}), place {:.1f} mm ({:.1f}),".format(*rows[-1][1:]), end=" ")
        print(f"half a voxel {half:.2f} mm, {found.outcome}, {seconds:.1f} s", flush=True)
    return rows


def summarise(group: str, rows: list[tuple[float, ...]]) -> None:
    half, *columns = np.array(rows).T
    for title, error in zip(_TITLES, columns):
        print(f"{group}: {title}: median {np.median(error):.2f} mm, largest {error.max():.2f} mm, ", end="")
        print(f"{(error < half).sum()} of {len(error)} under half a voxel")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=3)
    parser.add_argument("--pieces", action="store_true", help="pieces of the phantoms' legs, too")
    parser.add_argument("--moves", type=int, default=2, help="displacements a pair")
    parser.add_argument("--sts", type=Path)
    parsed = parser.parse_args()
    groups = {"phantoms": phantoms(parsed.phantoms)}
    if parsed.pieces:
        groups["pieces"] = pieces(parsed.phantoms)
    if parsed.sts:
        groups["STS"] = real_pairs(parsed.sts)
    for group, pairs in groups.items():
        random = np.random.default_rng(0)
        rows = [row for pair in pairs for row in measure(*pair, parsed.moves, random)]
        if rows:
            summarise(group, rows)


if __name__ == "__main__":
    main()
