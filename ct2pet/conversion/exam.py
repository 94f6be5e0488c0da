"""Conversion of one examination: its PET in SUV, its CT in HU, its lesions, and the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ct2pet.conversion.records import Record, has_images, remove_case, series_digest, source_digest
from ct2pet.conversion.replacing import TEMPORARY, NewFiles, new_files
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
    """Write the images of one case and then its record; one series at a time is in memory. Existing files of the case
    are replaced at the end.

    Raises Ct2PetError, one line that begins with the series, where the examination cannot be converted; then a complete
    earlier version of the case remains, or else no file of it.
    """
    try:
        with new_files(folder, case) as files:
            with quiet(), discreet():
                record = _convert(exam, patient, files, supplied, lesion_rois)
            files.put_in_place(record)
    except BaseException as error:
        if not has_images(folder, case):
            remove_case(folder, case)
        if isinstance(error, OSError):
            raise ImageError(f"{folder}: {case} cannot be written ({error.strerror or error})") from error
        if isinstance(error, Ct2PetError) and TEMPORARY in str(error):
            raise ImageError(str(error).replace(TEMPORARY, "")) from error
        raise
    return record


def _convert(exam: Exam, patient: str, files: NewFiles, supplied: Supplied | None, lesion_rois: str | None) -> Record:
    with _told_of(exam.pet.series):
        headers = stack_headers(exam.pet.stack)
        suv = suv_of_slices(exam.pet.stack, headers, supplied)
    lesions = read_lesions(exam.structures, exam.pet, exam.ct, lesion_rois)
    notes = [*exam.notes, *suv.notes, *lesions.notes]
    if lesions.mask is not None:
        write_volume(files.path("lesions"), lesions.mask)
    with _told_of(exam.pet.series):
        volume = read_pet(exam.pet.stack, suv.factors)
    notes += _write(files.path("targets"), volume)
    del volume  # before the CT is read
    with _told_of(exam.ct.series):
        volume = read_ct(exam.ct.stack)
    notes += _write(files.path("images"), volume)
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
        series=series_digest(exam.study, exam.pet.first.series),
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
