"""The names of cases and the numbers of patients: equal in every run, without identifying information."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from ct2pet.conversion.existing import Existing, find_cases
from ct2pet.conversion.patient_map import MapRow
from ct2pet.conversion.records import source_digest
from ct2pet.dicom.pairing import Exam
from ct2pet.errors import DatasetError


@dataclass(frozen=True)
class Named:
    """An examination with its names. ``done``: it is in the dataset, made of these images."""

    case: str
    patient: str
    exam: Exam
    done: bool


def name_exams(exams: Sequence[Exam], prefix: str, existing: Existing, known: Sequence[MapRow] = ()) -> list[Named]:
    """Name every examination ``prefix``_NNNN and every patient PNNNN; those of the dataset and of the map (``known``)
    keep their names.

    New patients come in the order of a digest, not of their identifiers; the examinations of one patient in that of
    time. Raises DatasetError where new examinations could belong to an unidentified patient of the dataset, or could be
    one of its cases.
    """
    records, digests = existing.records, [source_digest(exam) for exam in exams]
    case_of = find_cases(exams, records, known)
    number_of = {row.patient_id: row.patient for row in known}
    for number, case in case_of.items():
        if case in records:
            number_of.setdefault(exams[number].patient, records[case].patient)
    in_map = {row.case for row in known}
    new = [number for number in range(len(exams)) if number not in case_of]
    if new:
        _check_all_known({*existing.finished} - {*case_of.values()} - in_map, prefix)
    lost = {case: existing.patients[case] for case in {*existing.patients} - {*records} - in_map}
    if new and lost:
        case = _only_lost(lost, [exams[number].patient for number in new], number_of, prefix)
        case_of[new[0]] = case
        number_of[exams[new[0]].patient] = lost[case]
    cases = _free(f"{prefix}_", {*records, *in_map, *existing.patients})
    patients = {record.patient for record in records.values()}
    numbers = _free("P", {*patients, *number_of.values(), *existing.patients.values()})
    named = []
    for number in _in_order(digests, exams):
        exam = exams[number]
        if exam.patient not in number_of:
            number_of[exam.patient] = next(numbers)
        case = case_of[number] if number in case_of else next(cases)
        done = case in existing.finished and existing.finished[case].source == digests[number]
        named.append(Named(case, number_of[exam.patient], exam, done))
    return sorted(named, key=lambda item: item.case)


def _in_order(digests: Sequence[str], exams: Sequence[Exam]) -> list[int]:
    """The numbers of the examinations."""
    first: dict[str, str] = {}
    for digest, exam in zip(digests, exams):
        first[exam.patient] = min(digest, first.get(exam.patient, digest))
    return sorted(range(len(exams)), key=lambda number: first[exams[number].patient])  # stable: by time in a patient


def _free(prefix: str, taken: set[str]) -> Iterator[str]:
    return (name for name in (f"{prefix}{number:04d}" for number in count(1)) if name not in taken)


def _check_all_known(unknown: set[str], prefix: str) -> None:
    if unknown:
        raise DatasetError(
            f"{len(unknown)} case(s) of the dataset ({min(unknown)}, ...) are not in this folder, so that new cases "
            f"could be of their patients; give the --patient_map of the run that made {prefix}, or add their files, or "
            "choose another dataset"
        )


def _only_lost(lost: Mapping[str, str], patients: Sequence[str], number_of: Mapping[str, str], prefix: str) -> str:
    """The case of ``lost`` (with the number of its patient) that the only new examination is. Without a record nothing
    identifies a case: another examination must not get its split and its row in cases.csv."""
    case, number = min(lost.items())
    same = number_of.get(patients[0], number) == number
    other = patients[0] not in number_of and number in number_of.values()
    if len(lost) > 1 or len(patients) > 1 or not same or other:
        raise DatasetError(
            f"{len(lost)} case(s) of the dataset ({case}, ...) are in cases.csv but have no conversion/CASE.json, and "
            f"which of {len(patients)} examination(s) they are is unknown; give the --patient_map of the run that made "
            f"{prefix}, or remove their rows to give them new names"
        )
    return case
