"""Which case is which patient: a table that only the user names and only its owner may read."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ct2pet.errors import DatasetError
from ct2pet.files import atomic_path, check_writable


@dataclass(frozen=True)
class MapRow:
    """``patient`` is our number; ``patient_id`` and ``study_instance_uid`` are the hospital's."""

    case: str
    patient: str
    patient_id: str
    study_instance_uid: str
    study_date: str
    folder: str


_COLUMNS = [field.name for field in fields(MapRow)]


def read_map(path: Path) -> list[MapRow]:
    """The rows of a table that write_map wrote; none where it does not exist. Raises DatasetError for another file."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != _COLUMNS:
                raise DatasetError(f"{path}: would be replaced, but is no map of patients; name another --patient_map")
            return [MapRow(**{column: row[column] or "" for column in _COLUMNS}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({type(error).__name__})") from None


def write_map(path: Path, rows: Iterable[MapRow]) -> None:
    """Write the table, sorted by case, for its owner's eyes only (mode 0600)."""
    with atomic_path(path, private=True) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(astuple(row) for row in sorted(rows, key=lambda row: row.case))


def check_private_place(path: Path, dataset: Path, option: str) -> None:
    """Raise a Ct2PetError where the table would lie in the dataset, which others are given, or cannot be written."""
    if path.resolve().is_relative_to(dataset.resolve()):
        raise DatasetError(f"{path}: lies in the dataset, which is to name no patient; name another {option}")
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise DatasetError(f"{path}: cannot be written there (no such folder, or a folder); name another {option}")
    check_writable(path.resolve().parent)
