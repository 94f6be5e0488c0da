"""Training, validation and test: 70, 10 and 20% of the patients, as in the paper, but no patient in two of them."""

from __future__ import annotations

import csv
import glob
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet import layout
from ct2pet.dataset.description import update_dataset_json
from ct2pet.dataset.fields import CATEGORY
from ct2pet.dataset.raw import SPLITS, RawDataset
from ct2pet.dataset.splits import FILE_NAME, Split, create_splits, group_patients
from ct2pet.errors import DatasetError
from ct2pet.files import atomic_path, write_json
from ct2pet.imageio import files_of, strip_suffix

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)
COLUMN = "split"

# the parts of ten patients in order, repeated; any number of patients has these shares to within one patient
_ORDER = (TRAIN, TRAIN, TEST, TRAIN, TRAIN, VALIDATION, TRAIN, TRAIN, TEST, TRAIN)


def deal_parts(
    cases: Sequence[str],
    patients: Mapping[str, str],
    diagnoses: Mapping[str, str],
    seed: int = 12345,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The part (train, validation or test) of every case: 70, 10 and 20% of the patients.

    All cases of a patient are in one part. Every diagnosis and all patients together have these shares, to within one
    patient; exactly for a multiple of ten patients. The same input gives the same parts. Cases with a ``given`` part,
    and other cases of their patients, keep it; the others are distributed. Raises DatasetError where a patient is given
    two parts. Patients that are added later are dealt as if all had been dealt at once.
    """
    part_of = _given_to_patients(patients, given or {})
    new = [case for case in cases if patients.get(case, case) not in part_of]
    generator = np.random.default_rng(seed)
    position = len({patients.get(case, case) for case in cases} & {*part_of})
    for group in group_patients(new, patients, diagnoses).values():
        for index in generator.permutation(len(group)):
            part_of[group[index]] = _ORDER[position % len(_ORDER)]
            position += 1
    return {case: part_of[patients.get(case, case)] for case in cases}


def split_dataset(folder: str | os.PathLike, seed: int = 12345) -> dict[str, int]:
    """Split the cases of a raw dataset: test cases go to imagesTs etc., the others to imagesTr etc.

    The column ``split`` of cases.csv is then train, validation or test. ``splits_final.json`` in the dataset's folder
    contains folds 0 to 4 of a cross-validation over train and validation cases together, and fold 5: the paper's split,
    which trains on ``train`` and validates on ``validation``. A case that has a part keeps it: new cases change only
    the parts of new patients. The next run completes an interrupted one.

    Returns the number of cases of each part. Raises DatasetError for too few patients, other values in the column, test
    cases without a value in it, and files that exist at the target or cannot be moved.
    """
    folder = Path(folder)
    dataset = RawDataset(folder)
    cases = sorted({case for split in SPLITS for case in dataset.cases(split)})
    if not cases:
        raise DatasetError(f"{folder}: no cases to split")
    given = _given(dataset)
    _check_enough(dataset, cases, given)
    parts = deal_parts(cases, dataset.patients(), dataset.diagnoses(), seed, given)
    moves = [move for case in cases for move in _moves(dataset, case, parts[case])]
    for _, target in moves:
        if target.exists():
            raise DatasetError(
                f"{target}: already exists: the case is in training and in test; remove one of the files"
            )
    try:
        _write_column(dataset, parts)  # written first: an interrupted run continues from it
        for source, target in moves:
            target.parent.mkdir(exist_ok=True)
            shutil.move(source, target)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be split ({error.strerror or error}); run it again") from error
    write_json(folder / FILE_NAME, _folds(dataset, parts, seed))
    update_dataset_json(folder, numTraining=sum(part != TEST for part in parts.values()))
    return {part: sum(own == part for own in parts.values()) for part in PARTS}


def _check_enough(dataset: RawDataset, cases: Sequence[str], given: Mapping[str, str]) -> None:
    """Raise DatasetError where all cases would be training cases without parts given by the user."""
    patients = dataset.patients()
    count = len({patients.get(case, case) for case in cases})
    for_test, for_all = (_ORDER.index(part) + 1 for part in (TEST, VALIDATION))
    if not given and count < for_test:
        raise DatasetError(
            f"{dataset.folder}: {len(cases)} case(s) of {count} patient(s) (cases.csv): a test part "
            f"needs {for_test} patients; training, validation and test need {for_all}"
        )


def _given_to_patients(patients: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    part_of: dict[str, str] = {}
    for case, part in sorted(given.items()):
        patient = patients.get(case, case)
        if part_of.setdefault(patient, part) != part:
            raise DatasetError(
                f"cases.csv: the patient {patient} is in {part_of[patient]} and in {part}; use one of them"
            )
    return part_of


def _given(dataset: RawDataset) -> dict[str, str]:
    given = {case: row[COLUMN] for case, row in dataset.table.items() if row.get(COLUMN)}
    for case, part in given.items():
        if part not in PARTS:
            known = ", ".join(PARTS)
            raise DatasetError(
                f"{dataset.folder / 'cases.csv'}: {case} has the {COLUMN} {part!r}; known are {known}, or empty for "
                "cases to be distributed"
            )
    unknown = [case for case in dataset.cases("Ts") if case not in given]
    if unknown:
        raise DatasetError(
            f"{dataset.folder}: {len(unknown)} test case(s) already exist ({unknown[0]}, ...): write 'test' into "
            f"their column {COLUMN} of cases.csv to keep them, or move them to imagesTr to distribute them"
        )
    return given


def _moves(dataset: RawDataset, case: str, part: str) -> Iterator[tuple[Path, Path]]:
    """The files of a case, each with its new place; the record and the picture of a segmented map before the map."""
    there, away = ("Ts", "Tr") if part == TEST else ("Tr", "Ts")
    fields = [field for field in dataset.fields if field.kind != CATEGORY]
    for field in sorted(fields, key=dataset.leading.__eq__):  # the leading image, which defines the case, moves last
        source = dataset.file(field, case, away)
        if source is not None:
            folder = dataset.path(field, case, there).parent
            beside = sorted(source.parent.glob(f"{glob.escape(strip_suffix(source))}.segmenter.*"))
            yield from ((file, folder / file.name) for file in [*beside, *files_of(source)])


def _folds(dataset: RawDataset, parts: Mapping[str, str], seed: int) -> list[Split]:
    cases = [case for case, part in parts.items() if part != TEST]
    folds = create_splits(cases, dataset.patients(), dataset.diagnoses(), seed)
    sides = Counter(parts.values())
    if sides[TRAIN] and sides[VALIDATION]:
        train, val = ([case for case, own in parts.items() if own == part] for part in (TRAIN, VALIDATION))
        folds.append({"train": train, "val": val})
    return folds


def _write_column(dataset: RawDataset, parts: Mapping[str, str]) -> None:
    """cases.csv with the column ``split``; other columns and rows are kept."""
    table: dict[str, dict[str, Any]] = {case: dict(row) for case, row in dataset.table.items()}
    for case, part in parts.items():
        table[case] = {**table.get(case, {"case": case}), COLUMN: part}
    write_table(dataset.folder / layout.CASES, table)


def write_table(path: Path, table: Mapping[str, Mapping[str, Any]], columns: Sequence[str] = ("case",)) -> None:
    """Write a cases.csv, sorted by case: ``columns`` first, then whatever else the rows have."""
    names = list(dict.fromkeys([*columns, *(column for row in table.values() for column in row)]))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(table.items()))
