"""The table of clinical metadata of FDG-PET-CT-Lesions: a row per series, with diagnosis, age and sex of the patient.

Columns that are used: Subject ID, Study UID, File Location, diagnosis, sex, age. The NIfTI release and the autoPET
challenge (fdg_metadata.csv) come with the same table.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ct2pet.errors import DatasetError

_NEEDED = ("subject id", "diagnosis")
_AGE = re.compile(r"0*(\d{1,3})(\.\d*)?\s*[Yy]?")
_OLDEST = 90  # and older; rare ages can identify a patient


@dataclass(frozen=True)
class Person:
    diagnosis: str = ""
    sex: str = ""
    age: str = ""


class ClinicalTable:
    """Persons by study (its UID, or the name of its folder) and by subject (PETCT_0123456789)."""

    def __init__(self, people: Mapping[tuple[str, str], Person]) -> None:
        self._people = dict(people)

    def find(self, subject: str, study: str = "") -> Person | None:
        """The person of a study; for an unknown study, of the subject's first one. None for unknown subjects."""
        return self._people.get((subject, study)) or self._people.get((subject, ""))

    def __len__(self) -> int:
        return len({subject for subject, _ in self._people})


def find_table(source: Path, name: Path | None) -> ClinicalTable | None:
    """The table ``name``, or the one in ``source`` or its parent. None without a table.

    Raises DatasetError where ``name`` is not such a table, or several exist."""
    if name is not None:
        return read_clinical(name)
    for folder in (source, source.parent):
        found = [path for path in sorted(folder.glob("*.csv")) if _is_clinical(path)]
        if len(found) > 1:
            raise DatasetError(
                f"{folder}: several tables of clinical metadata ({found[0].name}, ...); choose one with --metadata"
            )
        if found:
            return read_clinical(found[0])
    return None


def read_clinical(path: Path) -> ClinicalTable:
    """Raises DatasetError where the file is not such a table."""
    try:
        people: dict[tuple[str, str], Person] = {}
        for row in _rows(path):
            person = Person(
                row["diagnosis"].replace("_", " ").lower(), sex_letter(row.get("sex", "")), years(row.get("age", ""))
            )
            subject = row["subject id"]
            parts = row.get("file location", "").replace("\\", "/").split("/")
            place = parts[parts.index(subject) + 1] if subject in parts[:-1] else ""
            for study in ("", row.get("study uid", ""), place):
                people.setdefault((subject, study), person)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DatasetError(
            f"{path}: not a table of clinical metadata with Subject ID and diagnosis ({error})"
        ) from None
    return ClinicalTable(people)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, restkey="", restval=""):
            yield {key.strip().lower(): (value or "").strip() for key, value in row.items() if key}


def _is_clinical(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns = {column.strip().lower() for column in next(csv.reader(file), [])}
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return columns.issuperset(_NEEDED)


def years(text: str) -> str:
    """An age ("063Y", "63", "63.4") in whole years, 90 for all older ones; empty for other texts."""
    match = _AGE.fullmatch(text.strip())
    return str(min(int(match[1]), _OLDEST)) if match else ""


def sex_letter(text: str) -> str:
    """M or F; empty for other texts."""
    letter = text.strip()[:1].upper()
    return letter if letter in ("M", "F") else ""
