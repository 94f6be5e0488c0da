"""Fields of view of a part of the body, as of examinations of one region and of public crops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ct2pet.phantom.patient import Patient
from ct2pet.phantom.scan import CaseVolumes
from ct2pet.volume import Box, Grid, Volume

_SHARE, _AROUND_A_LESION = 0.3, 0.6
"""Shares of patients: with a cropped field of view; of these, with a tumour in its middle."""
_LENGTHS_MM = (120.0, 320.0)
_SMALLEST_LESION_MM = 12.0  # radius of the lesions that a field of view is centred on


def crop_some(volumes: CaseVolumes, patient: Patient) -> CaseVolumes:
    """The images of a patient, for some patients cropped to a random box, the same one in CT and PET. The box only
    depends on the patient. Images without a body are not cropped.
    """
    random = np.random.default_rng([patient.seed, *b"field of view"])
    if random.random() >= _SHARE:
        return volumes
    body = np.argwhere(volumes.districts.array[::4, ::4, ::4] > 0) * 4
    if not len(body):
        return volumes
    grid = volumes.districts.grid
    middle = np.array(grid.origin) + body[random.integers(len(body))][::-1] * np.array(grid.spacing)[::-1]
    centres = [one.centre for one in patient.lesions if max(one.radii) >= _SMALLEST_LESION_MM]
    if centres and random.random() < _AROUND_A_LESION:
        middle = np.array(centres[int(random.integers(len(centres)))])
    half = random.uniform(*_LENGTHS_MM, 3) / 2
    return cropped(volumes, middle - half, middle + half)


def cropped(volumes: CaseVolumes, low: np.ndarray, high: np.ndarray) -> CaseVolumes:
    """The voxels of all images whose centres lie between two corners (x, y, z; patient mm) of axis-parallel grids. The
    images are not cropped to a box without a voxel of one of them."""
    boxes = {name: _box(getattr(volumes, name).grid, low, high) for name in ("ct", "pet")}
    if not all(boxes.values()):
        return volumes

    def part(volume: Volume, of: str) -> Volume:
        return volume.crop(boxes[of])  # type: ignore[arg-type]

    return replace(
        volumes,
        ct=part(volumes.ct, "ct"),
        districts=part(volumes.districts, "ct"),
        organs=part(volumes.organs, "ct"),
        pet=part(volumes.pet, "pet"),
        lesions=part(volumes.lesions, "pet"),
        low_dose={dose: part(volume, "pet") for dose, volume in volumes.low_dose.items()},
    )


def _box(grid: Grid, low: np.ndarray, high: np.ndarray) -> Box | None:
    spans = []
    for axis in range(3):
        place = grid.origin[2 - axis] + np.arange(grid.shape[axis]) * grid.spacing[axis]
        inside = np.flatnonzero((place >= low[2 - axis]) & (place <= high[2 - axis]))
        if not inside.size:
            return None
        spans.append((int(inside[0]), int(inside[-1]) + 1))
    first, last = zip(*spans)
    return Box(first, last)
