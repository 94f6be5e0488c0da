"""Known shifts (5 to 20 mm) and turns (2 to 6 degrees) of PETs: the axes along which a registration corrects them.

Run: python benchmarks/registration.py [--phantoms N] [--regions] [--limbs] [--sts STS_NIFTI_FOLDER] [--moves N]
Each pair is registered as it was made and after known moves. An error is how far the voxels of the body (CT above
-300 HU where the PET is, too) lie on average from where the pair was made, along right-left, front-back and foot-head:
on phantoms that is the truth, on real pairs the scanner's alignment (a leg moves between CT and PET). For each axis
counts whether the registration moved along it or left it (no sharp optimum).
Phantoms are those of the demo, from head to toe; regions are their heads, chests and pelves; limbs are 190, 300 and
420 mm of their legs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import center_of_mass, label
from scipy.spatial.transform import Rotation

from ct2pet.imageio import read_volume
from ct2pet.phantom import DEMO, make_patient, scan
from ct2pet.registration import MOVED, register
from ct2pet.registration.result import AXES
from ct2pet.volume import Box, Grid, Volume

_TISSUE_HU = -300
_HALF_WIDTH_MM = 95.0  # of a piece of a limb
_LENGTHS_MM = (190.0, 300.0, 420.0)
_LEG = 0.3  # position of the middle of a piece of a leg, from foot to head
_REGIONS_MM = {"head": (-330.0, 0.0), "chest": (-700.0, -350.0), "pelvis": (-1000.0, -700.0)}  # from the vertex
_SHIFTS = AXES[3:]
Pairs = Iterator[tuple[str, Volume, Volume]]


@dataclass(frozen=True)
class Row:
    """One registration: whether the PET was displaced before, whether it was moved, and by axis (x, y, z) the mean
    distance (mm) from where it was made, before and after, and whether the axis was left."""

    displaced: bool
    moved: bool
    before: np.ndarray
    after: np.ndarray
    left: np.ndarray


def phantoms(number: int) -> Pairs:
    for seed in range(number):
        case = scan(replace(make_patient(seed), field_of_view="whole", arms="down"), DEMO)
        yield f"phantom {seed}", case.ct.to_canonical(), case.pet.to_canonical()


def regions(number: int) -> Pairs:
    for name, ct, pet in phantoms(number):
        vertex = ct.grid.bounds[1][2]
        for region, (low, high) in _REGIONS_MM.items():
            ends = np.array([-np.inf, -np.inf, vertex + low]), np.array([np.inf, np.inf, vertex + high])
            yield f"{name} {region}", within(ct, *ends), within(pet, *ends)


def limbs(number: int) -> Pairs:
    for name, ct, pet in phantoms(number):
        middle = leg(ct, round(_LEG * ct.grid.shape[0]))
        for length in _LENGTHS_MM:
            half = np.array([_HALF_WIDTH_MM, _HALF_WIDTH_MM, length / 2])
            yield f"{name} {length:.0f} mm", *(within(volume, middle - half, middle + half) for volume in (ct, pet))


def leg(ct: Volume, slice_index: int) -> np.ndarray:
    """x, y, z (mm) of the middle of the largest patch of tissue in a slice."""
    patches, _ = label(ct.array[slice_index] > _TISSUE_HU)
    largest = np.bincount(patches.ravel())[1:].argmax() + 1
    y, x = center_of_mass(patches == largest)
    return (ct.grid.affine @ [x, y, slice_index, 1])[:3]


def within(volume: Volume, low: np.ndarray, high: np.ndarray) -> Volume:
    """The voxels whose centres lie between two points (x, y, z, mm)."""
    centres = [
        volume.grid.origin[i] + np.arange(volume.grid.shape[2 - i]) * volume.grid.spacing[2 - i] for i in range(3)
    ]
    chosen = [np.flatnonzero((x >= a) & (x <= b)) for x, a, b in zip(centres, low, high)][::-1]
    first, last = zip(*((int(index[0]), int(index[-1]) + 1) for index in chosen))
    return volume.crop(Box(first, last))


def real_pairs(sts: Path) -> Pairs:
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


def distances(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """How far (mm) the points are moved on average along x, y and z."""
    return np.abs(points @ matrix[:3, :3].T + matrix[:3, 3] - points).mean(axis=0)


def measure(name: str, ct: Volume, pet: Volume, moves: int, random: np.random.Generator) -> list[Row]:
    points = body_points(ct, pet)
    rows = []
    for known in (np.eye(4), *(random_move(points.mean(axis=0), random) for _ in range(moves))):
        away = Volume(pet.array, Grid.from_affine(pet.grid.shape, known @ pet.grid.affine), "SUV")
        start = time.process_time()
        found = register(ct, away)
        seconds = time.process_time() - start
        back = np.array(found.matrix) @ known if found.outcome == MOVED else known
        left = np.array([axis in found.axes_left for axis in _SHIFTS])
        row = Row(bool(rows), found.outcome == MOVED, distances(points, known), distances(points, back), left)
        rows.append(row)
        texts = (" ".join(f"{value:.1f}" for value in values) for values in (row.before, row.after))
        print("{}: {} mm before, {} mm after: {}".format(name, *texts, found.outcome), end="")
        print(f"; left: {', '.join(found.axes_left) or 'none'}; {seconds:.1f} s", flush=True)
    return rows


def summarise(group: str, rows: list[Row]) -> None:
    as_made = [row for row in rows if not row.displaced]
    print(f"{group}: {sum(row.moved for row in as_made)} of {len(as_made)} pairs moved as they were made")
    displaced = [row for row in rows if row.displaced]
    if not displaced:
        return
    print(f"{group}: {sum(row.moved for row in displaced)} of {len(displaced)} displaced pairs moved")
    for axis, name in enumerate(_SHIFTS):
        sharp = [row for row in displaced if row.moved and not row.left[axis]]
        text = f"{group}: {name}: moved along in {len(sharp)}"
        if sharp:
            before, after = (np.array([getattr(row, when)[axis] for row in sharp]) for when in ("before", "after"))
            text += (
                f"; from {np.median(before):.1f} mm (median) to {np.median(after):.1f} mm (largest {after.max():.1f})"
            )
        print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phantoms", type=int, default=3)
    parser.add_argument("--regions", action="store_true", help="heads, chests and pelves of the phantoms, too")
    parser.add_argument("--limbs", action="store_true", help="pieces of the phantoms' legs, too")
    parser.add_argument("--no_whole", action="store_true", help="not the phantoms from head to toe")
    parser.add_argument("--moves", type=int, default=2, help="displacements a pair")
    parser.add_argument("--sts", type=Path)
    parsed = parser.parse_args()
    groups: dict[str, Pairs] = {} if parsed.no_whole else {"phantoms": phantoms(parsed.phantoms)}
    if parsed.regions:
        groups["regions"] = regions(parsed.phantoms)
    if parsed.limbs:
        groups["limbs"] = limbs(parsed.phantoms)
    if parsed.sts:
        groups["STS"] = real_pairs(parsed.sts)
    for group, pairs in groups.items():
        random = np.random.default_rng(0)
        rows = [row for pair in pairs for row in measure(*pair, parsed.moves, random)]
        if rows:
            summarise(group, rows)


if __name__ == "__main__":
    main()
