"""The raw dataset: its cases and their files."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ct2pet import layout
from ct2pet.dataset.description import Description, read_dataset_json
from ct2pet.dataset.fields import Field, Fields
from ct2pet.errors import DatasetError
from ct2pet.paths import raw_folder
from ct2pet.suggestions import did_you_mean

SPLITS = ("Tr", "Ts")
CT_CHANNEL = "_0000"  # of the first input
_CASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DATASET_NAME = re.compile(r"Dataset(\d{3,})_[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_case_name(case: str) -> None:
    """Raise DatasetError unless ``case`` is a portable file name."""
    if not _CASE_NAME.fullmatch(case):
        raise DatasetError(
            f"the case name {case!r} is not allowed; use letters, digits, _ - . and begin with a letter or digit"
        )


@dataclass(frozen=True)
class RawDataset:
    """A dataset in the raw folder. Splits are "Tr" (training) and "Ts" (test).

    Raises DatasetError where the folder or its dataset.json is missing or invalid.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if not self.folder.is_dir():
            raise DatasetError(f"{self.folder}: no such dataset folder")
        _ = self.description

    @cached_property
    def description(self) -> Description:
        """The content of dataset.json."""
        return read_dataset_json(self.folder)

    @property
    def name(self) -> str:
        """The name of the folder, Dataset001_NAME."""
        return self.folder.name

    @property
    def file_ending(self) -> str:
        return self.description.file_ending

    @property
    def districts(self) -> dict[str, int]:
        """The districts and their labels in the district maps."""
        return dict(self.description.districts)

    @property
    def fields(self) -> Fields:
        """The fields of a case."""
        return self.description.fields

    @property
    def leading(self) -> Field:
        """The field whose files define the cases: the first input, or the first target of a dataset without inputs."""
        return (*self.fields.inputs, *self.fields.targets)[0]

    def cases(self, split: str = "Tr") -> list[str]:
        """The sorted names of the cases: those that have the leading field's file."""
        ending = self.leading.suffix + self.file_ending
        return [name[: -len(ending)] for name in self.file_names(self.leading, split) if name.endswith(ending)]

    def file_names(self, field: Field, split: str) -> list[str]:
        """The sorted names of the files in a field's folder, without those with a leading dot. Raises DatasetError for
        a broken link: its case would silently be missing."""
        folder = self.folder / f"{field.folder}{_known(split)}"
        if not folder.is_dir():
            return []
        for entry in folder.iterdir():
            if entry.is_symlink() and not entry.exists():
                raise DatasetError(f"{entry}: the target of this link does not exist; restore it or remove the link")
        return sorted(entry.name for entry in folder.iterdir() if entry.is_file() and entry.name[0] != ".")

    def path(self, field: Field | str, case: str, split: str) -> Path:
        """The path of a field's file of a case, which need not exist; ``field``: the field or its name."""
        field = self.fields[field] if isinstance(field, str) else field
        return self.folder / f"{field.folder}{_known(split)}" / f"{case}{field.suffix}{self.file_ending}"

    def file(self, field: Field | str, case: str, split: str = "Tr") -> Path | None:
        """The file of a field of a case; None where it does not exist."""
        path = self.path(field, case, split)
        return path if path.is_file() else None

    def files(self, fields: Iterable[Field], case: str, split: str = "Tr") -> dict[str, Path | None]:
        """The files of several fields of a case by field; None where a file does not exist."""
        return {field.name: self.file(field, case, split) for field in fields}

    @cached_property
    def table(self) -> dict[str, dict[str, str]]:
        """The rows of cases.csv by case; empty without that file. Raises DatasetError where it is invalid."""
        path = self.folder / layout.CASES
        return read_table(path) if path.is_file() else {}

    def patients(self) -> dict[str, str]:
        """The patient of each training and test case; the case's own name where cases.csv names none."""
        return {case: self._cell(case, "patient") or case for case in self._all_cases()}

    def classes(self, condition: str) -> dict[str, str]:
        """The class of each training and test case in a column of cases.csv; empty where it names none."""
        return {case: self._cell(case, condition) for case in self._all_cases()}

    def diagnoses(self) -> dict[str, str]:
        """The diagnosis of each training and test case; empty where cases.csv names none."""
        return {case: self._cell(case, "diagnosis") for case in self._all_cases()}

    def _all_cases(self) -> list[str]:
        return [case for split in SPLITS for case in self.cases(split)]

    def _cell(self, case: str, column: str) -> str:
        return self.table.get(case, {}).get(column, "")


def open_dataset(id_or_name: str | int, root: str | os.PathLike | None = None) -> RawDataset:
    """The dataset of an id ("1", "001") or name ("Dataset001_NAME") in ``root`` (default: the raw folder).

    Raises DatasetError, which lists the datasets that are there, where none or several have this id.
    """
    root = raw_folder() if root is None else Path(root)
    return RawDataset(root / dataset_folder_name(id_or_name, root))


def dataset_folder_name(id_or_name: str | int, root: str | os.PathLike) -> str:
    """The folder name, Dataset001_NAME, that an id or a name stands for among the folders of ``root``.

    Raises DatasetError, which lists the datasets that are there, where none or several fit.
    """
    wanted, root = str(id_or_name), Path(root)
    there = {entry.name: int(match[1]) for entry in _folders(root) if (match := _DATASET_NAME.fullmatch(entry.name))}
    if wanted in there:
        return wanted
    found = [name for name, number in there.items() if wanted.isascii() and wanted.isdigit() and number == int(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise DatasetError(f"{root}: several datasets have the id {wanted}: {', '.join(found)}")
    raise DatasetError(
        f"{root}: no dataset {wanted!r}; there are: {', '.join(there) or 'none'}{did_you_mean(wanted, there)}"
    )


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


def _known(split: str) -> str:
    if split not in SPLITS:
        raise ValueError(f"a split is one of {SPLITS}, not {split!r}")
    return split


def read_table(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a cases.csv by case. Raises DatasetError where it breaks a rule."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            columns = reader.fieldnames or []
            rows = [{key: value.strip() for key, value in row.items() if key} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({error})") from None
    if "case" not in columns:
        raise DatasetError(f"{path}: the first line must name the columns, separated by commas, 'case' among them")
    table = {row["case"]: row for row in rows if row["case"]}
    if len(table) < sum(bool(row["case"]) for row in rows):
        raise DatasetError(f"{path}: a case stands in two rows")
    return table
