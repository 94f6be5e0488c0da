"""The labelled cases of a raw dataset: files, class and patient of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ct2pet import layout
from ct2pet.dataset import Field, RawDataset
from ct2pet.dataset.fields import LESIONS
from ct2pet.errors import DatasetError
from ct2pet.study.slices import KINDS, LabelledCase

_FILE, _TABLE = layout.DATASET, layout.CASES


def read_condition(folder: Path, condition: str | None = None) -> tuple[str, list[str]]:
    """The name and the classes of a condition of dataset.json (default: the only one).

    Raises DatasetError where it does not exist or is not the only one.
    """
    conditions = {one.name: list(one.labels) for one in RawDataset(folder).fields.conditions}
    if condition is None and len(conditions) == 1:
        condition = next(iter(conditions))
    if condition is None or condition not in conditions:
        names = ", ".join(conditions) or "none"
        raise DatasetError(f'{Path(folder) / _FILE}: "conditions" names {names}; one of them must be chosen')
    return condition, conditions[condition]


def labelled_cases(folder: Path, split: str, kinds: Sequence[str], condition: str | None = None) -> list[LabelledCase]:
    """The cases of ``split`` ("Tr" or "Ts") with their images of ``kinds`` and their class.

    The class is a column of cases.csv that dataset.json declares under ``conditions``. Raises DatasetError, naming the
    case, where one has no class, a class that is not in dataset.json, or no image.
    """
    dataset = RawDataset(folder)
    condition, classes = read_condition(folder, condition)
    targets = targets_of(dataset, kinds)
    first = targets[kinds[0]]
    ending = first.suffix + dataset.file_ending
    names = [name.removesuffix(ending) for name in dataset.file_names(first, split) if name.endswith(ending)]
    if not names:
        raise DatasetError(f"{dataset.folder / (first.folder + split)}: no images (*{ending})")
    cases = []
    for case in names:
        row = dataset.table.get(case, {})
        images = {kind: dataset.path(target, case, split) for kind, target in targets.items()}
        for path in images.values():
            if not path.is_file():
                raise DatasetError(f"{path}: the case {case} has no such image; add it, or remove the case")
        label = _label(dataset.folder / _TABLE, case, row.get(condition, ""), condition, classes)
        lesions = dataset.file(LESIONS, case, split)
        cases.append(LabelledCase(case, row.get("patient") or case, label, images, lesions))
    return cases


def _label(table: Path, case: str, value: str, condition: str, classes: Sequence[str]) -> int:
    if not value:
        raise DatasetError(f"{table}: the case {case} has no {condition}; fill the column in, or remove the case")
    if value not in classes:
        known = ", ".join(classes)
        raise DatasetError(f"{table}: the case {case} has the {condition} {value!r}; dataset.json declares {known}")
    return classes.index(value)


def targets_of(dataset: RawDataset, kinds: Sequence[str]) -> dict[str, Field]:
    """The first target of each kind. Raises DatasetError where there is none."""
    found: dict[str, Field] = {}
    for target in dataset.fields.targets:
        found.setdefault(target.kind, target)
    for kind in kinds:
        if kind not in KINDS or kind not in found:
            there = ", ".join(own for own in found if own in KINDS) or "none"
            raise DatasetError(f"{dataset.folder / _FILE}: no target of the kind {kind!r}; there are: {there}")
    return {kind: found[kind] for kind in kinds}
