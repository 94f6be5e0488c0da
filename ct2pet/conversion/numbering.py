"""The names of cases and the numbers of patients: equal in every run, without identifying information."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from ct2pet.conversion.patient_map import MapRow
from ct2pet.conversion.records import Record, source_digest
from ct2pet.dicom.pairing import Exam
from ct2pet.errors import DatasetError


@dataclass(frozen=True)
class Named:
    """An examination with its names. ``done``: it is in the dataset."""

    case: str
    patient: str
    exam: Exam
    done: bool


def name_exams(
    exams: Sequence[Exam], prefix: str, records: Mapping[str, Record], known: Iterable[MapRow] = ()
) -> list[Named]:
    """Name every examination ``prefix``_NNNN and every patient PNNNN; those in ``records`` and ``known`` keep their
    names.

    New patients come in the order of a digest, not of their identifiers; the examinations of one patient in that of
    time. Raises DatasetError where new examinations could belong to an unidentified patient of the dataset.
    """
    case_of = {record.source: case for case, record in records.items()}
    digests = [source_digest(exam) for exam in exams]
    number_of = {row.patient_id: row.patient for row in known}
    found = {case_of[digest]: exam for digest, exam in zip(digests, exams) if digest in case_of}
    for case, exam in found.items():
        number_of.setdefault(exam.patient, records[case].patient)
    if len(found) < len(exams):
        _check_all_known({*records} - {*found} - {row.case for row in known}, prefix)
    cases = _free(f"{prefix}_", {*records, *(row.case for row in known)})
    numbers = _free("P", {record.patient for record in records.values()} | {*number_of.values()})
    named = []
    for digest, exam in _in_order(digests, exams):
        if exam.patient not in number_of:
            number_of[exam.patient] = next(numbers)
        done = digest in case_of
        named.append(Named(case_of[digest] if done else next(cases), number_of[exam.patient], exam, done))
    return sorted(named, key=lambda item: item.case)


def _in_order(digests: Sequence[str], exams: Sequence[Exam]) -> list[tuple[str, Exam]]:
    first: dict[str, str] = {}
    for digest, exam in zip(digests, exams):
        first[exam.patient] = min(digest, first.get(exam.patient, digest))
    return sorted(zip(digests, exams), key=lambda pair: first[pair[1].patient])  # stable: by time within a patient


def _free(prefix: str, taken: set[str]) -> Iterator[str]:
    return (name for name in (f"{prefix}{number:04d}" for number in count(1)) if name not in taken)


def _check_all_known(unknown: set[str], prefix: str) -> None:
    if unknown:
        raise DatasetError(
            f"{len(unknown)} case(s) of the dataset ({min(unknown)}, ...) are not in this folder, so that new cases "
            f"could be of their patients; give the --patient_map of the run that made {prefix}, or another dataset"
        )
