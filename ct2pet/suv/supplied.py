"""Values that the headers lack, from a table of the user: weights, doses and times of injection."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, time
from pathlib import Path

from ct2pet.errors import DatasetError

_KEYS = ("patient", "study", "case")
_VALUES = ("weight_kg", "dose_bq", "injection", "decay_reference")


@dataclass(frozen=True)
class Supplied:
    """Values of one study; None: the header's value is used.

    ``injection``: a time of the scanner's clock (the last one before the scan), or with its date, which nuclides of a
    long half-life need.
    ``decay_reference``: the time that the values are decay corrected to (the one nearest to the scan), or with date.
    """

    weight_kg: float | None = None
    dose_bq: float | None = None
    injection: time | datetime | None = None
    decay_reference: time | datetime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The given values."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)

    def __bool__(self) -> bool:
        return bool(self.names)


@dataclass(frozen=True)
class Row:
    """A row of the table. ``line`` is its line in the file; keys that are empty match all."""

    line: int
    patient: str
    study: str
    case: str
    values: Supplied

    def matches(self, patient: str, study: Iterable[str], case: str) -> bool:
        """Whether the row matches this study; ``study``: for example its UID and its date."""
        return self.patient in ("", patient) and (not self.study or self.study in study) and self.case in ("", case)


@dataclass(frozen=True)
class SuppliedTable:
    """The rows of a table for ``--weights_csv``."""

    path: Path
    rows: tuple[Row, ...] = ()

    def find(self, *, patient: str, study: Iterable[str] = (), case: str = "") -> Row | None:
        """The row of a study: the one with the most keys, if several match; None without any.

        Raises DatasetError where two rows have the same number of keys. ``study``: names that the study may have in the
        table (its UID, its date as YYYYMMDD and YYYY-MM-DD).
        """
        names = tuple(study)
        found = [row for row in self.rows if row.matches(patient, names, case)]
        found.sort(key=lambda row: -_num_keys(row))
        if len(found) > 1 and _num_keys(found[0]) == _num_keys(found[1]):
            lines = f"lines {found[0].line} and {found[1].line}"
            raise DatasetError(f"{self.path.name}: {lines} are for the same study; distinguish them by 'study'")
        return found[0] if found else None


def _num_keys(row: Row) -> int:
    return sum(bool(key) for key in (row.patient, row.study, row.case))


def read_supplied(path: str | os.PathLike) -> SuppliedTable:
    """Read a table: a CSV with a header line. Separators: comma, semicolon or tab.

    Columns: ``patient`` (Patient ID) or ``case`` (the name that the conversion gives), or both; optional ``study``
    (Study Instance UID or date) for patients with several; ``weight_kg``, and optional ``dose_bq`` (at the time of
    injection), ``injection`` and ``decay_reference`` (HH:MM, HH:MM:SS, or with the date YYYY-MM-DDTHH:MM). An empty
    field leaves the header's value. Raises DatasetError, naming the line and the column but no value, for anything
    else.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets begin with a byte order mark
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({type(error).__name__})") from None
    lines = text.splitlines()
    head = lines[0] if lines else ""
    separator = max(",;\t", key=head.count)
    reader = csv.DictReader(lines, delimiter=separator)
    columns = [column.strip() for column in reader.fieldnames or []]
    reader.fieldnames = columns
    unknown = [column for column in columns if column not in (*_KEYS, *_VALUES)]
    if unknown or not {"patient", "case"} & {*columns} or not {*_VALUES} & {*columns}:
        known = f"patient or case, optional study, and {', '.join(_VALUES)}"
        raise DatasetError(f"{path}: its first line must name the columns {known}, and no others")
    return SuppliedTable(path, tuple(_row(path, reader.line_num, record) for record in reader if any(record.values())))


def _row(path: Path, line: int, record: dict) -> Row:
    if None in record or None in record.values():
        raise DatasetError(f"{path}: line {line} has another number of fields than the first line")
    cells = {column: value.strip() for column, value in record.items()}
    if not cells.get("patient") and not cells.get("case"):
        raise DatasetError(f"{path}: line {line} has no patient and no case")
    try:
        column = "weight_kg"
        weight = _positive(cells.get(column, ""))
        column = "dose_bq"
        dose = _positive(cells.get(column, ""))
        column = "injection"
        injection = _moment(cells.get(column, ""))
        column = "decay_reference"
        reference = _moment(cells.get(column, ""))
    except ValueError:
        raise DatasetError(f"{path}: line {line}, column {column}: not a valid value") from None
    values = Supplied(weight, dose, injection, reference)
    return Row(line, cells.get("patient", ""), cells.get("study", ""), cells.get("case", ""), values)


def _positive(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _moment(text: str) -> time | datetime | None:
    if not text:
        return None
    if ":" not in text:  # a date without a time, an hour without its minutes: Python reads these as full hours
        raise ValueError
    moment = datetime.fromisoformat(text) if "-" in text else time.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError
    return moment
