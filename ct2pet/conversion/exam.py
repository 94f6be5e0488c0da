"""One examination: its PET in SUV, its CT in HU, its lesions, and the record of how."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.conversion.records import Record, image_path, remove_case, source_digest, write_record
from ct2pet.dataset.plausibility import ct_problems, pet_problems
from ct2pet.dicom.pairing import Exam, Placed
from ct2pet.dicom.pixels import read_ct, read_pet
from ct2pet.dicom.reading import discreet, quiet, read_dataset
from ct2pet.dicom.series import Series, Stack
from ct2pet.dicom.structures import read_lesions
from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.imageio import write_volume
from ct2pet.suv import Supplied, SuvFactors, suv_factors
from ct2pet.volume import Volume

_AGE = re.compile(r"(\d{3})([DWMY])")
_OLDEST = 90  # and older: rarer ages can identify


def convert_exam(
    exam: Exam,
    case: str,
    patient: str,
    folder: Path,
    supplied: Supplied | None = None,
    lesion_rois: str | None = None,
) -> Record:
    """Write the images of one case and then its record; one series at a time is in memory.

    Raises Ct2PetError, one line that begins with the series that it is about, where the examination cannot be
    converted; nothing of it stays then.
    """
    try:
        with quiet(), discreet():
            record = _convert(exam, case, patient, folder, supplied, lesion_rois)
        write_record(folder, case, record)
    except BaseException as error:
        remove_case(folder, case)
        if isinstance(error, OSError):
            raise ImageError(f"{folder}: {case} cannot be written ({error.strerror or error})") from error
        raise
    return record


def _convert(
    exam: Exam, case: str, patient: str, folder: Path, supplied: Supplied | None, lesion_rois: str | None
) -> Record:
    with _told_of(exam.pet.series):
        headers = _headers(exam.pet.stack)
        suv = _of_slices(exam.pet.stack, headers, suv_factors(list(headers.values()), supplied))
    lesions = read_lesions(exam.structures, exam.pet, exam.ct, lesion_rois)
    notes = [*exam.notes, *suv.notes, *lesions.notes]
    remove_case(folder, case)
    if lesions.mask is not None:
        write_volume(image_path(folder, "lesions", case), lesions.mask)
    with _told_of(exam.pet.series):
        volume = read_pet(exam.pet.stack, suv.factors)
    notes += _write(image_path(folder, "targets", case), volume)
    del volume  # before the CT is read
    with _told_of(exam.ct.series):
        volume = read_ct(exam.ct.stack)
    notes += _write(image_path(folder, "images", case), volume)
    header = next(iter(headers.values()))
    return Record(
        patient=patient,
        source=source_digest(exam),
        sex=_sex(header),
        age=_age(header),
        ct=_facts(exam.ct),
        pet=_facts(exam.pet),
        suv=suv.how,
        lesions=lesions.mask is not None,
        notes=tuple(notes),
    )


@contextmanager
def _told_of(series: Series) -> Iterator[None]:
    """Let errors begin with the series that they are about."""
    try:
        yield
    except Ct2PetError as error:
        raise ImageError(f"{series.label}: {error}") from error


def _headers(stack: Stack) -> dict[Path, Dataset]:
    """The data sets of a series without their pixels, in the order of its slices."""
    headers: dict[Path, Dataset] = {}
    for item in stack.slices:
        if item.path not in headers:
            try:
                headers[item.path] = read_dataset(item.path)
            except ImageError as error:
                raise ImageError(f"{item.name}: {error}") from None
    return headers


def _of_slices(stack: Stack, headers: dict[Path, Dataset], found: SuvFactors) -> SuvFactors:
    """The factors in the order of the slices; they come in the order of the files and their frames."""
    frames = [len(header.get("PerFrameFunctionalGroupsSequence") or [None]) for header in headers.values()]
    first = dict(zip(headers, np.cumsum([0, *frames])))
    order = [first[item.path] + (item.frame or 0) for item in stack.slices]
    return SuvFactors(found.factors[order], found.how, found.notes)


def _write(path: Path, volume: Volume) -> Sequence[str]:
    problems = pet_problems(volume.array) if volume.unit == "SUV" else ct_problems(volume.array)
    write_volume(path, volume)
    return [f"{'PET' if volume.unit == 'SUV' else 'CT'}: {problem}" for problem in problems]


def _facts(placed: Placed) -> dict[str, Any]:
    """What a reader of the record may want to know of a series: numbers only."""
    grid = placed.stack.grid
    return {
        "series_number": placed.first.series_number,
        "shape": list(grid.shape),
        "spacing_mm": [round(value, 4) for value in grid.spacing],
    }


def _sex(header: Dataset) -> str:
    sex = str(header.get("PatientSex", "") or "").strip().upper()
    return sex if sex in ("M", "F", "O") else ""


def _age(header: Dataset) -> str:
    """Years, 90 for all that are older; empty where the header does not say."""
    match = _AGE.fullmatch(str(header.get("PatientAge", "") or "").strip().upper())
    if not match:
        return ""
    years = int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]]
    return str(min(int(years), _OLDEST))
