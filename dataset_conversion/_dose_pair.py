"""A low-dose and a full-dose PET of one acquisition (two folders of DICOM files) to the images of a case in SUV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.conversion.records import Record, image_path
from ct2pet.conversion.series_facts import age_of, geometry_of, sex_of, stack_headers, suv_of_slices
from ct2pet.conversion.supplied_values import check_all_used, row_of
from ct2pet.dataset.contents import LEAST_OVERLAP
from ct2pet.dataset.plausibility import pet_problems
from ct2pet.dicom.folders import only_series
from ct2pet.dicom.frames import series_stack
from ct2pet.dicom.headers import PET, Header, read_header
from ct2pet.dicom.pairing import Placed
from ct2pet.dicom.pixels import read_pet
from ct2pet.dicom.reading import discreet, quiet
from ct2pet.dicom.tree import regular_files
from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.imageio import write_volume
from ct2pet.suv import SuppliedTable, SuvFactors
from ct2pet.volume import Volume
from dataset_conversion._pairs import Study, study_digest

LOW, FULL = "low-dose PET", "full-dose PET"
_SAME = 0.05  # relative; durations and mean SUV that differ by less are equal
_PROCESS_GIB = 0.4
_BYTES_PER_VOXEL = 8


@dataclass(frozen=True)
class _Pet:
    """One PET: its files, its SUV factors, and the header of its first slice."""

    placed: Placed
    suv: SuvFactors
    header: Dataset

    def read(self) -> Volume:
        volume = read_pet(self.placed.stack, self.suv.factors)
        problems = pet_problems(volume.array)
        if problems:
            raise ImageError(problems[0])
        return volume


def write_dose_pair(
    study: Study, case: str, patient: str, folder: Path, *, dose_fraction: float, supplied: SuppliedTable
) -> Record:
    """Write the low-dose PET (``study.image``) as the image and the full-dose PET as the target of a case; its record.

    Raises a Ct2PetError, which names the PET, where one cannot be converted to SUV, where they are not of one patient
    or do not overlap, and where the low dose was acquired for longer than the full one.
    """
    with quiet(), discreet():
        with _about(FULL):
            full = _open(study.target, case, supplied)
        with _about(LOW):
            low = _open(study.image, case, supplied)
        notes = _compare(low, full, dose_fraction)
        with _about(FULL):
            volume = full.read()
        write_volume(image_path(folder, "targets", case), volume)
        mean = float(volume.array.mean())
        del volume
        with _about(LOW):
            volume = low.read()
        write_volume(image_path(folder, "images", case), volume)
        ratio = float(volume.array.mean()) / mean
        if abs(ratio - 1) > _SAME:
            notes.append(f"the mean SUV of the low-dose PET is {ratio:.2f} times that of the full-dose PET")
        return Record(
            patient=patient,
            source=study_digest(study),
            sex=sex_of(full.header),
            age=age_of(full.header),
            ct={},
            pet=geometry_of(full.placed),
            suv=full.suv.how,
            lesions=False,
            notes=(*notes, *dict.fromkeys([*full.suv.notes, *low.suv.notes])),
        )


def memory_gib(studies: Sequence[Study]) -> float:
    """Memory of one process, for the largest full-dose PET."""
    return _PROCESS_GIB + max(_num_voxels(study.target) for study in studies) * _BYTES_PER_VOXEL / 2**30


def _num_voxels(folder: Path) -> int:
    """An estimate of the voxels of the PET in a folder: its files times the pixels of the first image."""
    files = list(regular_files(folder, []))
    shapes = (header.shape for header in _headers(files) if header.shape is not None)
    rows, columns = next(shapes, (0, 0))
    return len(files) * rows * columns


def _headers(files: Iterable[Path]) -> Iterator[Header]:
    """Those of the images, in the order of the files, each read when it is needed."""
    for path in files:
        try:
            yield read_header(path)
        except ImageError:
            continue


def check_supplied(studies: Mapping[str, Study], supplied: SuppliedTable) -> None:
    """Raise DatasetError where a row of the table belongs to no PET of the studies (by case). Of each PET only the
    header of the first image is read."""
    if supplied.rows:
        with quiet(), discreet():
            rows = [row_of(supplied, pet, pet.time, case) for case, study in studies.items() for pet in _pets(study)]
        check_all_used(supplied, rows)


def _pets(study: Study) -> Iterator[Header]:
    """The first image of each of the two PETs; a PET without one is reported when it is converted."""
    for folder in (study.target, study.image):
        yield from islice((item for item in _headers(regular_files(folder, [])) if item.kind == PET), 1)


@contextmanager
def _about(which: str) -> Iterator[None]:
    """Inside the block errors get the PET as a prefix."""
    try:
        yield
    except Ct2PetError as error:
        raise ImageError(f"{which}: {error}") from error


def _open(folder: Path, case: str, supplied: SuppliedTable) -> _Pet:
    series = only_series(folder, PET)
    placed = Placed(series, series_stack(series))
    if placed.first.attenuation_corrected is False:
        raise ImageError("not attenuation-corrected (CorrectedImage)")
    headers = stack_headers(placed.stack)
    row = row_of(supplied, placed.first, placed.first.time, case)
    suv = suv_of_slices(placed.stack, headers, row.values if row else None)
    return _Pet(placed, suv, next(iter(headers.values())))


def _compare(low: _Pet, full: _Pet, dose_fraction: float) -> list[str]:
    """Notes on the pair. Raises ImageError where it is not a pair."""
    if low.placed.first.patient != full.placed.first.patient:
        raise ImageError(f"the {LOW} and the {FULL} are of different patients (PatientID)")
    instances = [{header.sop_instance for header in pet.placed.series.headers} for pet in (low, full)]
    if instances[0] & instances[1]:
        raise ImageError(f"the {LOW} and the {FULL} are the same images (SOPInstanceUID)")
    grid, full_grid = low.placed.stack.grid, full.placed.stack.grid
    overlap = min(grid.overlap(full_grid), full_grid.overlap(grid))
    if overlap < LEAST_OVERLAP:
        raise ImageError(f"the {LOW} overlaps the {FULL} by only {100 * overlap:.0f}%")
    notes = [] if grid.matches(full_grid) else ["the grids of the two PETs differ"]
    return notes + _compare_durations(_frame_seconds(low), _frame_seconds(full), dose_fraction)


def _compare_durations(low: float | None, full: float | None, dose_fraction: float) -> list[str]:
    """A note where the frames' durations (s) contradict the dose fraction; equal ones are no evidence. Raises
    ImageError where the low dose was acquired for longer."""
    if low is None or full is None:
        return []
    ratio = low / full
    if ratio > 1 + _SAME:
        raise ImageError(
            f"the {LOW} was acquired for {low:g} s per frame, the {FULL} for {full:g} s (ActualFrameDuration): "
            "the low dose cannot be larger than the full one"
        )
    if ratio > 1 - _SAME or np.isclose(ratio, dose_fraction, rtol=0.2):
        return []
    return [f"the frames of the low-dose PET last {ratio:.3g} of the full ones, not {dose_fraction:.3g}"]


def _frame_seconds(pet: _Pet) -> float | None:
    """The duration of a frame; None where unknown."""
    milliseconds = pet.header.get("ActualFrameDuration")
    return float(milliseconds) / 1000 if milliseconds else None
