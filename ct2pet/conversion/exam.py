"""Conversion of one examination: its PET in SUV, its CT in HU, its lesions, and the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ct2pet.conversion.records import Record, image_path, remove_case, source_digest, write_record
from ct2pet.conversion.series_facts import age_of, geometry_of, sex_of, stack_headers, suv_of_slices
from ct2pet.dataset.plausibility import ct_problems, pet_problems
from ct2pet.dicom.pairing import Exam
from ct2pet.dicom.pixels import read_ct, read_pet
from ct2pet.dicom.reading import discreet, quiet
from ct2pet.dicom.series import Series
from ct2pet.dicom.structures import read_lesions
from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.imageio import write_volume
from ct2pet.suv import Supplied
from ct2pet.volume import Volume


def convert_exam(
    exam: Exam,
    case: str,
    patient: str,
    folder: Path,
    supplied: Supplied | None = None,
    lesion_rois: str | None = None,
) -> Record:
    """Write the images of one case and then its record; one series at a time is in memory.

    Raises Ct2PetError, one line that begins with the series, where the examination cannot be converted; then no file of
    it remains.
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
        headers = stack_headers(exam.pet.stack)
        suv = suv_of_slices(exam.pet.stack, headers, supplied)
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
        sex=sex_of(header),
        age=age_of(header),
        ct=geometry_of(exam.ct),
        pet=geometry_of(exam.pet),
        suv=suv.how,
        lesions=lesions.mask is not None,
        notes=tuple(notes),
    )


@contextmanager
def _told_of(series: Series) -> Iterator[None]:
    """Inside the block errors get the series as a prefix."""
    try:
        yield
    except Ct2PetError as error:
        raise ImageError(f"{series.label}: {error}") from error


def _write(path: Path, volume: Volume) -> Sequence[str]:
    problems = pet_problems(volume.array) if volume.unit == "SUV" else ct_problems(volume.array)
    write_volume(path, volume)
    return [f"{'PET' if volume.unit == 'SUV' else 'CT'}: {problem}" for problem in problems]
