"""The conversion of studies of a CT (HU), a PET (SUV) and lesions in image files to cases in NIfTI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ct2pet.conversion.converter import DISTRICTS
from ct2pet.conversion.records import FILE_ENDING, Record, image_path
from ct2pet.dataset import write_dataset_json
from ct2pet.dataset.contents import LEAST_OVERLAP
from ct2pet.dataset.plausibility import ct_problems, label_problems, number_problems, pet_problems
from ct2pet.errors import ImageError
from ct2pet.imageio import count_voxels, read_volume, write_volume
from ct2pet.volume import Grid, Volume
from dataset_conversion._pairs import Recipe, Study, study_digest

_PROCESS_GIB = 0.4
_BYTES_PER_VOXEL = 12


def _write_ct_and_pet(study: Study, case: str, patient: str, folder: Path) -> Record:
    pet = _checked(study.target, "SUV", pet_problems)
    grids = {"pet": pet.grid}
    write_volume(image_path(folder, "targets", case), pet)
    del pet
    ct = _checked(study.image, "HU", ct_problems)
    grids["ct"] = ct.grid
    _check_place(study.image, ct.grid, grids["pet"])
    write_volume(image_path(folder, "images", case), as_integers(ct))
    del ct
    if study.lesions is not None:
        lesions = _checked(study.lesions, "label", lambda array: label_problems(array, None))
        _check_place(study.lesions, lesions.grid, grids["pet"])
        write_volume(image_path(folder, "lesions", case), lesions.with_array(lesions.array > 0))
    facts = {
        role: {"shape": list(grid.shape), "spacing_mm": [round(value, 4) for value in grid.spacing]}
        for role, grid in grids.items()
    }
    return Record(
        patient=patient,
        source=study_digest(study),
        sex=study.sex,
        age=study.age,
        ct=facts["ct"],
        pet=facts["pet"],
        suv="as in the source",
        lesions=study.lesions is not None,
        notes=study.notes,
    )


def _checked(path: Path, unit: str, problems_of: Callable[[np.ndarray], list[str]]) -> Volume:
    volume = read_volume(path, unit)
    problems = number_problems(volume.array) or problems_of(volume.array)
    if problems:
        raise ImageError(f"{path}: {problems[0]}")
    return volume


def _check_place(path: Path, grid: Grid, pet_grid: Grid) -> None:
    overlap = max(grid.overlap(pet_grid), pet_grid.overlap(grid))
    if overlap < LEAST_OVERLAP:
        raise ImageError(f"{path}: it overlaps the PET by only {100 * overlap:.0f}%")


def as_integers(ct_hu: Volume) -> Volume:
    """HU in int16, half of float32's size, where this is lossless."""
    integers = ct_hu.array.astype(np.int16)
    return ct_hu.with_array(integers) if np.array_equal(integers, ct_hu.array) else ct_hu


def _memory_gib(studies: Sequence[Study]) -> float:
    voxels = max(count_voxels(path) for study in studies for path in (study.image, study.target))
    return _PROCESS_GIB + voxels * _BYTES_PER_VOXEL / 2**30


CT_AND_PET = Recipe(
    _write_ct_and_pet,
    _memory_gib,
    partial(write_dataset_json, districts=DISTRICTS, file_ending=FILE_ENDING),
    image="CT",
)
