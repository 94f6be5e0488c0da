"""splits_final.json: which cases train and which validate in each fold, as in nnU-Net."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ct2pet import layout
from ct2pet.dataset.raw import RawDataset
from ct2pet.errors import DatasetError
from ct2pet.files import write_json
from ct2pet.schema import read_as

FILE_NAME = layout.SPLITS
NUM_FOLDS = 5
Split = dict[str, list[str]]
_Sides = tuple[str | None, ...]  # of a case in each fold: "train", "val" or None


@dataclass(frozen=True)
class _Fold:
    """A fold in the file."""

    train: list[str]
    val: list[str]


def load_or_create_splits(path: str | os.PathLike, dataset: RawDataset, seed: int = 12345) -> list[Split]:
    """The folds in ``path``. They are those of the splits_final.json in the raw dataset's folder, which replaces an
    older ``path``; without one, those of an existing ``path``, or new folds. A line is printed where ``path`` is
    replaced, or where training cases are in no fold.

    Raises DatasetError where an existing file names cases that are not in the dataset, or has a case or a patient in
    training and validation of a fold.
    """
    path, given = Path(path), dataset.folder / FILE_NAME
    if given.is_file():
        splits = _checked(given, dataset)
        different = path.exists() and read_splits(path) != splits
        if different:
            print(f"{path}: replaced by {given}, which differs; folds trained before used the old one", file=sys.stderr)
        if different or not path.exists():
            write_json(path, splits)
    elif path.exists():
        splits = _checked(path, dataset)
    else:
        splits = create_splits(dataset.cases("Tr"), dataset.patients(), dataset.diagnoses(), seed)
        write_json(path, splits)
    _say_who_is_left_out(splits, given if given.is_file() else path, dataset)
    return splits


def read_splits(path: str | os.PathLike) -> list[Split]:
    """The folds in ``path``. Raises DatasetError where the content is invalid, or a case is twice in one fold."""
    remedy = 'expected a list of {"train": [cases], "val": [cases]}; correct or delete the file'
    folds = read_as(path, list[_Fold], DatasetError, remedy)
    for number, fold in enumerate(folds):
        twice = [case for case, count in Counter([*fold.train, *fold.val]).items() if count > 1]
        if twice:
            raise DatasetError(f"{path}: the case {twice[0]} is twice in fold {number}")
    return [asdict(fold) for fold in folds]


def create_splits(
    cases: Sequence[str],
    patients: Mapping[str, str],
    diagnoses: Mapping[str, str],
    seed: int = 12345,
    num_folds: int = NUM_FOLDS,
) -> list[Split]:
    """Folds whose validation cases are, together, all cases, each once; the same for the same input.

    All cases of a patient stay together. The diagnoses and the patients are distributed evenly over the folds. There
    are at most as many folds as patients, and none for only one patient.
    """
    cases_of = _cases_of(cases, patients)
    num_folds = min(num_folds, len(cases_of))
    if num_folds < 2:
        return []
    generator = np.random.default_rng(seed)
    folds: list[list[str]] = [[] for _ in range(num_folds)]
    position = 0
    for group in group_patients(
        cases, patients, diagnoses
    ).values():  # round-robin; each diagnosis continues with the fold after the last one used
        for index in generator.permutation(len(group)):
            folds[position % num_folds].extend(cases_of[group[index]])
            position += 1
    return [{"train": sorted({*cases} - {*fold}), "val": sorted(fold)} for fold in folds]


def group_patients(
    cases: Sequence[str], patients: Mapping[str, str], diagnoses: Mapping[str, str]
) -> dict[str, list[str]]:
    """The sorted patients of each diagnosis, diagnoses sorted; of several the most frequent of a patient."""
    groups: dict[str, list[str]] = {}
    for patient, own in sorted(_cases_of(cases, patients).items()):
        groups.setdefault(_most_common([diagnoses.get(case, "") for case in own]), []).append(patient)
    return dict(sorted(groups.items()))


def fold_cases(splits: Sequence[Split], fold: int | str, all_cases: Sequence[str]) -> tuple[list[str], list[str]]:
    """The training and the validation cases of a fold. The fold "all" trains and validates on all cases.

    Raises DatasetError that lists the folds for any other name.
    """
    if str(fold) == "all":
        return list(all_cases), list(all_cases)
    if str(fold) not in map(str, range(len(splits))):
        known = ", ".join([*map(str, range(len(splits))), "all"])
        raise DatasetError(f"no fold {fold!r}; the folds are {known}")
    split = splits[int(fold)]
    return list(split["train"]), list(split["val"])


def inner_folds(splits: Sequence[Split], cases: Sequence[str], num_folds: int) -> list[list[str]]:
    """``cases`` (of one training) in at most ``num_folds`` parts of about one size, fewer where there are too few
    cases; one part where ``num_folds`` is below 2.

    Cases that are validated together stay together unless a fold has one of them in training and the other in
    validation: they may be of one patient, whose cases no fold separates. Cases without a validation set, and all cases
    where there would be only one part, are distributed one by one.
    """
    units = _inseparable(splits, cases)
    if len(units) < 2:
        units = [[case] for case in sorted(cases)]
    parts: list[list[str]] = [[] for _ in range(min(max(1, num_folds), len(units)))]
    for unit in sorted(units, key=len, reverse=True):
        min(parts, key=len).extend(unit)
    return [sorted(part) for part in parts]


def _inseparable(splits: Sequence[Split], cases: Sequence[str]) -> list[list[str]]:
    """The cases in the groups that ``inner_folds`` keeps together, in the order of the folds that validate them."""
    sides = [{**dict.fromkeys(split["train"], "train"), **dict.fromkeys(split["val"], "val")} for split in splits]
    alike: dict[_Sides, list[str]] = {}
    for case in sorted({*cases}):
        alike.setdefault(tuple(side.get(case) for side in sides), []).append(case)
    groups: list[dict[_Sides, list[str]]] = []
    for own in sorted((own for own in alike if "val" in own), key=lambda own: own.index("val")):
        joined = [group for group in groups if any(_may_be_one_patient(own, other) for other in group)]
        merged = {own: alike[own]}
        for group in joined:
            merged |= group
        groups = [*(group for group in groups if group not in joined), merged]
    groups.sort(key=lambda group: min(own.index("val") for own in group))
    validated = [[case for own in group.values() for case in own] for group in groups]
    return validated + [[case] for own, rest in alike.items() if "val" not in own for case in rest]


def _may_be_one_patient(one: _Sides, other: _Sides) -> bool:
    pairs = [*zip(one, other)]
    return ("val", "val") in pairs and not {("train", "val"), ("val", "train")} & {*pairs}


def _cases_of(cases: Sequence[str], patients: Mapping[str, str]) -> dict[str, list[str]]:
    cases_of: dict[str, list[str]] = {}
    for case in sorted(cases):
        cases_of.setdefault(patients.get(case, case), []).append(case)
    return cases_of


def _most_common(values: list[str]) -> str:
    return max(sorted(set(values)), key=values.count)


def _checked(path: Path, dataset: RawDataset) -> list[Split]:
    """The folds in ``path``, which must fit the dataset."""
    splits = read_splits(path)
    known, patients = {*dataset.cases("Tr")}, dataset.patients()
    for number, split in enumerate(splits):
        unknown = sorted({*split["train"], *split["val"]} - known)
        if unknown:
            names = _some(unknown)
            raise DatasetError(
                f"{path}: fold {number} contains {len(unknown)} case(s) that are not in {dataset.name} ({names}); "
                "correct the file, or delete it to create new splits"
            )
        shared = {patients[case] for case in split["train"]} & {patients[case] for case in split["val"]}
        if shared:
            raise DatasetError(f"{path}: the patient {min(shared)} is in training and validation of fold {number}")
    return splits


def _say_who_is_left_out(splits: list[Split], path: Path, dataset: RawDataset) -> None:
    """Print the training cases that are in no fold of ``path``, such as cases added after it was made."""
    cases, patients = dataset.cases("Tr"), dataset.patients()
    left_out = sorted({*cases} - {case for split in splits for own in split.values() for case in own})
    if left_out and len({patients[case] for case in cases}) > 1:  # one patient has no folds
        renew = "run ct2pet_split again" if path.parent == dataset.folder else "delete it to make new folds"
        print(
            f"{path}: {len(left_out)} training case(s) are in no fold ({_some(left_out)}); add them to it, or {renew}",
            file=sys.stderr,
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
