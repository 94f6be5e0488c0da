"""The patient of each case: a table with a path chosen by the user, readable only by its owner."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ct2pet.errors import DatasetError
from ct2pet.files import atomic_path, check_writable


@dataclass(frozen=True)
class MapRow:
    """``patient`` is the number in the dataset; ``patient_id`` and ``study_instance_uid`` are those of the hospital."""

    case: str
    patient: str
    patient_id: str
    study_instance_uid: str
    study_date: str
    folder: str


_COLUMNS = [field.name for field in fields(MapRow)]


def read_map(path: Path) -> list[MapRow]:
    """The rows of a table of write_map; empty where it does not exist. Raises DatasetError for another file."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != _COLUMNS:
                raise DatasetError(f"{path}: would be replaced, but is not a patient map; choose another --patient_map")
            return [MapRow(**{column: row[column] or "" for column in _COLUMNS}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({type(error).__name__})") from None


def write_map(path: Path, rows: Iterable[MapRow]) -> None:
    """Write the table, sorted by case, readable only by its owner (mode 0600)."""
    with (
        atomic_path(path, private=True) as temporary,
        # names of folders may contain bytes that are not text
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(astuple(row) for row in sorted(rows, key=lambda row: row.case))


def check_private_place(path: Path, dataset: Path, option: str) -> None:
    """Raise a Ct2PetError where the table would be in the dataset, which may be shared, or cannot be written."""
    if path.resolve().is_relative_to(dataset.resolve()):
        raise DatasetError(f"{path}: is in the dataset, which must not contain patient names; choose another {option}")
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise DatasetError(f"{path}: cannot be written (no such folder, or a folder); choose another {option}")
    check_writable(path.resolve().parent)
