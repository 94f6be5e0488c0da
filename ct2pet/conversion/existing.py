"""The cases that a dataset has, and which of them an examination is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ct2pet import layout
from ct2pet.conversion.patient_map import MapRow
from ct2pet.conversion.records import Record, all_records, has_images, series_digest, source_digest
from ct2pet.dataset.raw import read_table
from ct2pet.dicom.pairing import Exam


@dataclass(frozen=True)
class Existing:
    """``finished``: the records of cases with their images; ``unfinished``: those of cases that lack one. ``patients``:
    the number of the patient of each case that was finished once (cases.csv)."""

    finished: Mapping[str, Record]
    unfinished: Mapping[str, Record]
    patients: Mapping[str, str]

    @property
    def records(self) -> dict[str, Record]:
        return {**self.finished, **self.unfinished}


def read_existing(folder: Path, prefix: str) -> Existing:
    """The cases ``prefix``_NNNN of a dataset, which need not exist. Raises DatasetError where a record or the table is
    damaged."""
    records = all_records(folder)
    finished = {case: record for case, record in records.items() if has_images(folder, case)}
    table = read_table(folder / layout.CASES) if (folder / layout.CASES).is_file() else {}
    own = re.compile(rf"{re.escape(prefix)}_\d{{4,}}")
    return Existing(
        finished,
        {case: record for case, record in records.items() if case not in finished},
        {case: row.get("patient", "") for case, row in table.items() if own.fullmatch(case)},
    )


def find_cases(exams: Sequence[Exam], records: Mapping[str, Record], known: Iterable[MapRow]) -> dict[int, str]:
    """The case of each examination, by its number in ``exams``, that is in the dataset.

    An examination is known by its images, or else, because a restored file changes them, by its study and series, or
    else by its row in the patient map. A study can have several cases of different PETs (from several sources): another
    PET is the same examination only where this source has both.
    """
    found: dict[int, str] = {}
    for cases_of in (_by_images(records), _by_series(records), _by_row(records, known)):
        for number, exam in enumerate(exams):
            if number not in found:
                case = next((case for case in cases_of(exam) if case not in found.values()), None)
                found |= {} if case is None else {number: case}
    return found


def _by_images(records: Mapping[str, Record]) -> Callable[[Exam], Iterable[str]]:
    cases = {record.source: case for case, record in records.items()}
    return lambda exam: filter(None, [cases.get(source_digest(exam))])


def _by_series(records: Mapping[str, Record]) -> Callable[[Exam], Iterable[str]]:
    cases = {record.series: case for case, record in records.items() if record.series}

    def find(exam: Exam) -> Iterable[str]:
        series = (exam.pet.first.series, *exam.other_pets) if cases else ()
        return filter(None, (cases.get(series_digest(exam.study, uid)) for uid in series))

    return find


def _by_row(records: Mapping[str, Record], known: Iterable[MapRow]) -> Callable[[Exam], Iterable[str]]:
    rows: dict[tuple[str, str], list[MapRow]] = {}
    for row in known:
        rows.setdefault((row.patient_id, row.study_instance_uid), []).append(row)

    def find(exam: Exam) -> Iterable[str]:
        own = [row for row in rows.get((exam.patient, exam.study), ()) if _may_be(records.get(row.case), exam)]
        folder = str(exam.pet.series.folder)
        return [row.case for row in sorted(own, key=lambda row: not folder.endswith(row.folder))]

    return find


def _may_be(record: Record | None, exam: Exam) -> bool:
    """Whether a case of the examination's study can be the examination itself; records of earlier versions do not
    identify the series."""
    if record is None:
        return True
    return not record.series and record.pet.get("series_number") == exam.pet.first.series_number
