"""A synthetic whole-body case, made in seconds: ellipses with the densities, the noise and the share of air of a scan.

The CT covers 50 cm, the PET 82 cm, both 98 cm along the body, which fills a quarter of the CT's field of view.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ct2pet.dataset import write_dataset_json
from ct2pet.imageio import write_volume
from ct2pet.volume import Grid, Volume

DISTRICTS = {"head": 1, "trunk": 2, "arms": 3, "legs": 4}
NAME = "Dataset777_Benchmark"
CASE = "case_0001"
_CT_MM, _PET_MM, _LENGTH_MM = 500.0, 816.0, 978.0
# Slices, pixels of the CT and of the PET.
SIZES = {"full": (326, 512, 400), "quick": (163, 256, 200)}
# District, from and to (share of the length, feet first), centre and half axes in mm.
_PARTS = [
    *(("legs", 0.0, 0.27, (side * 95, 0), (88, 95)) for side in (-1, 1)),
    ("trunk", 0.25, 0.80, (0, 0), (180, 130)),
    *(("arms", 0.27, 0.78, (side * 205, 10), (38, 45)) for side in (-1, 1)),
    ("head", 0.80, 0.99, (0, 0), (78, 98)),
]


def grids(size: str) -> tuple[Grid, Grid]:
    """Of CT and PET."""
    slices, ct, pet = SIZES[size]
    return _grid(slices, ct, _CT_MM), _grid(slices, pet, _PET_MM)


def _grid(slices: int, pixels: int, width_mm: float) -> Grid:
    step = width_mm / pixels
    start = (step - width_mm) / 2
    return Grid((slices, pixels, pixels), (_LENGTH_MM / slices, step, step), (start, start, 0.0))


def district_map(grid: Grid) -> Volume:
    """Labels, uint8."""
    labels = np.zeros(grid.shape, np.uint8)
    _, y, x = (origin + step * np.arange(n) for origin, step, n in zip(grid.origin[::-1], grid.spacing, grid.shape))
    for name, low, high, (cx, cy), (rx, ry) in _PARTS:
        inside = ((x - cx) / rx) ** 2 + ((y[:, None] - cy) / ry) ** 2 < 1
        part = labels[round(low * grid.shape[0]) : round(high * grid.shape[0])]
        part[:, inside] = DISTRICTS[name]
    return Volume(labels, grid, "label")


def make_case(size: str) -> dict[str, Volume]:
    """``ct`` (int16 HU), ``pet`` (float32 SUV, on its own grid) and ``districts`` (uint8, on the CT's)."""
    random = np.random.default_rng(0)
    ct_grid, pet_grid = grids(size)
    districts = district_map(ct_grid)
    ct_hu = _noisy(random, np.array([-1000, 40, 20, 30, 30], np.float32)[districts.array], 12.0)
    bones = np.zeros(ct_grid.shape, bool)
    middle = ct_grid.shape[1] // 2
    bones[:, middle + middle // 6 : middle + middle // 4, middle - middle // 20 : middle + middle // 20] = True
    ct_hu[bones & (districts.array > 0)] += 400
    body = district_map(pet_grid).array
    pet_suv = np.array([0, 3, 1, 0.5, 0.6], np.float32)[body] * random.gamma(9.0, 1 / 9, body.shape).astype(np.float32)
    pet_suv += random.random(body.shape, np.float32) * 0.01  # no reconstruction leaves the air empty
    return {
        "ct": Volume(np.rint(ct_hu).astype(np.int16), ct_grid, "HU"),
        "pet": Volume(pet_suv, pet_grid, "SUV"),
        "districts": districts,
    }


def _noisy(random: np.random.Generator, array: np.ndarray, deviation: float) -> np.ndarray:
    for part in array:
        part += deviation * random.standard_normal(part.shape, np.float32)
    return array


def write_case(folder: Path, size: str) -> Path:
    """A raw dataset of one case: the folder of the dataset."""
    raw = folder / "raw" / NAME
    case = make_case(size)
    write_volume(raw / "imagesTr" / f"{CASE}_0000.nii.gz", case["ct"])
    write_volume(raw / "targetsTr" / f"{CASE}.nii.gz", case["pet"])
    write_volume(raw / "districtsTr" / f"{CASE}.nii.gz", case["districts"])
    write_dataset_json(raw, name="Benchmark", districts=DISTRICTS, num_training=1, file_ending=".nii.gz")
    return raw
