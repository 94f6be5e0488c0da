"""Integrity check of a raw dataset: finds all problems of all cases in one pass, each with its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ct2pet import layout
from ct2pet.dataset.contents import CaseContents, check_case
from ct2pet.dataset.fields import CATEGORY, INPUT, TARGET, Field
from ct2pet.dataset.raw import SPLITS, RawDataset, check_case_name
from ct2pet.errors import DatasetError
from ct2pet.imageio import count_voxels, strip_suffix
from ct2pet.parallel import map_cases

_BYTES_PER_VOXEL = 8  # of the largest image of a case: its values and a mask or slice of another type
_PROCESS_GIB = 0.25


@dataclass(frozen=True)
class Problem:
    """A problem with a ``file`` of a ``case`` (empty for the whole dataset)."""

    case: str
    file: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


def verify_dataset(dataset: RawDataset, num_processes: int = 1) -> list[Problem]:
    """All problems of a dataset: names, pairs, files, values, units, positions, labels, duplicates.

    All images are read once, ``num_processes`` cases at a time. An empty list: the dataset is valid.
    """
    cases = {(split, case): (dataset, case, split) for split in SPLITS for case in _all_names(dataset, split)}
    results = map_cases(
        check_case,
        {f"{case} ({split})": arguments for (split, case), arguments in cases.items()},
        num_processes=num_processes,
        memory_per_process_gib=_memory_gib(dataset),
        description="Verifying",
    )
    contents: dict[tuple[str, str], CaseContents] = {}
    problems = [*_count_problems(dataset), *_name_problems(dataset), *_pair_problems(dataset)]
    problems += [*_table_problems(dataset), *_class_problems(dataset)]
    for split, case in cases:
        key = f"{case} ({split})"
        if key in results.failures:
            problems.append(Problem(case, str(dataset.path(dataset.leading, case, split)), results.failures[key]))
            continue
        contents[split, case] = results.values[key]
        problems += [Problem(case, str(file), message) for file, message in results.values[key].problems]
    return [*problems, *_duplicates(dataset, contents)]


def _image_fields(dataset: RawDataset) -> list[Field]:
    return [field for field in dataset.fields if field.kind != CATEGORY]


def _all_names(dataset: RawDataset, split: str) -> list[str]:
    """The cases with at least one file."""
    names = set(dataset.cases(split))
    for field in _image_fields(dataset):
        ending = field.suffix + dataset.file_ending
        if field.role != INPUT:
            names.update(name[: -len(ending)] for name in dataset.file_names(field, split) if name.endswith(ending))
    return sorted(names)


def _memory_gib(dataset: RawDataset) -> float:
    images = [dataset.file(dataset.leading, case, split) for split in SPLITS for case in dataset.cases(split)]
    return _PROCESS_GIB + max(map(count_voxels, images), default=0) * _BYTES_PER_VOXEL / 2**30


def _count_problems(dataset: RawDataset) -> Iterator[Problem]:
    count, stated, leading = len(dataset.cases("Tr")), dataset.description.num_training, dataset.leading
    if not count:
        ending = leading.suffix + dataset.file_ending
        yield Problem("", str(dataset.folder / f"{leading.folder}Tr"), f"no training cases (CASE{ending})")
    elif count != stated:
        message = f"numTraining is {stated}, but {count} training images {leading.name} exist"
        yield Problem("", str(dataset.folder / layout.DATASET), message)


def _name_problems(dataset: RawDataset) -> Iterator[Problem]:
    suffixes: dict[str, list[str]] = {}
    for field in _image_fields(dataset):
        suffixes.setdefault(field.folder, []).append(field.suffix)
    for split in SPLITS:
        for field in {field.folder: field for field in _image_fields(dataset)}.values():
            for name in dataset.file_names(field, split):
                message = _name_problem(name, suffixes[field.folder], dataset.file_ending)
                if message:
                    yield Problem(strip_suffix(name), str(dataset.folder / f"{field.folder}{split}" / name), message)


def _name_problem(name: str, suffixes: list[str], file_ending: str) -> str | None:
    if strip_suffix(name) == name:
        return None  # not an image: notes, tables, the data file of a MetaImage header
    if not name.endswith(file_ending):
        return f"its name does not end in {file_ending}, the file_ending of dataset.json"
    case = name[: -len(file_ending)]
    suffix = next((suffix for suffix in suffixes if case.endswith(suffix)), None)
    if suffix is None:
        return f"its name must be {' or '.join(f'CASE{suffix}{file_ending}' for suffix in suffixes)}"
    try:
        check_case_name(case.removesuffix(suffix))
    except DatasetError as error:
        return str(error)
    return None


def _pair_problems(dataset: RawDataset) -> Iterator[Problem]:
    leading = dataset.leading
    for split in SPLITS:
        cases = dataset.cases(split)
        for case in cases:
            for field in _image_fields(dataset):
                needed = field.role == INPUT or (field.role == TARGET and split == "Tr")
                if needed and dataset.file(field, case, split) is None:
                    message = f"missing: every {'training ' * (split == 'Tr')}{leading.name} needs its {field.name}"
                    yield Problem(case, str(dataset.path(field, case, split)), message)
        for case in sorted({*_all_names(dataset, split)} - {*cases}):
            there = (dataset.file(field, case, split) for field in _image_fields(dataset))
            message = f"missing, but {next(path for path in there if path is not None)} exists"
            yield Problem(case, str(dataset.path(leading, case, split)), message)
    for case in sorted({*dataset.cases("Tr")} & {*dataset.cases("Ts")}):
        yield Problem(
            case, str(dataset.path(leading, case, "Ts")), "a training case and a test case have this name; rename one"
        )


def _table_problems(dataset: RawDataset) -> Iterator[Problem]:
    path = dataset.folder / layout.CASES
    try:
        rows, patients = dataset.table, dataset.patients()
    except DatasetError as error:
        yield Problem("", str(path), str(error).removeprefix(f"{path}: "))
        return
    for case in rows:
        if case not in patients:
            yield Problem(case, str(path), f"the case {case!r} has a row, but no {dataset.leading.name}")
    training = {patients[case] for case in dataset.cases("Tr")}
    for case in dataset.cases("Ts"):
        if patients[case] in training and case not in dataset.cases("Tr"):
            yield Problem(case, str(path), f"the patient {patients[case]!r} of this test case is also in training")


def _class_problems(dataset: RawDataset) -> Iterator[Problem]:
    path = dataset.folder / layout.CASES
    for condition in dataset.fields.conditions:
        for case, value in dataset.classes(condition.name).items():
            if value not in condition.labels:
                found = f"is {value!r}" if value else "is missing"
                message = f"{condition.name} of {case} {found}; known are {', '.join(condition.labels)}"
                yield Problem(case, str(path), message)


def _duplicates(dataset: RawDataset, contents: Mapping[tuple[str, str], CaseContents]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Path] = {}
    for (split, case), content in contents.items():
        for kind, digest in content.digests.items():
            path = dataset.path(kind, case, split)
            other = first.setdefault((kind, digest), path)
            if other != path:
                yield Problem(case, str(path), f"the same image as {other}: one case with two names")
