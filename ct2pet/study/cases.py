"""The labelled cases of a raw dataset: files, class and patient of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.dataset.raw import read_table
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import read_json
from ct2pet.study.slices import KINDS, LabelledCase

_FILE, _TABLE = layout.DATASET, layout.CASES


def read_condition(folder: Path, condition: str | None = None) -> tuple[str, list[str]]:
    """The name and the classes of a condition of dataset.json (default: the only one).

    Raises DatasetError where it does not exist, is not the only one, or has fewer than two classes.
    """
    conditions = _description(folder).get("conditions") or {}
    if condition is None and len(conditions) == 1:
        condition = next(iter(conditions))
    if condition is None or condition not in conditions:
        names = ", ".join(conditions) or "none"
        raise DatasetError(f'{folder / _FILE}: "conditions" names {names}; one of them must be chosen')
    classes = [str(name) for name in conditions[condition]]
    if len(classes) < 2:
        raise DatasetError(f"{folder / _FILE}: {condition} has one class only ({', '.join(classes)}); two are needed")
    return condition, classes


def labelled_cases(folder: Path, split: str, kinds: Sequence[str], condition: str | None = None) -> list[LabelledCase]:
    """The cases of ``split`` ("Tr" or "Ts") with their images of ``kinds`` and their class.

    The class is a column of cases.csv that dataset.json declares under ``conditions``. Raises DatasetError, naming the
    case, where one has no class, a class that dataset.json does not know, or no image.
    """
    folder = Path(folder)
    description = _description(folder)
    condition, classes = read_condition(folder, condition)
    folders = _folders_of(description, kinds, folder)
    ending = description.get("file_ending", ".nii.gz")
    table = read_table(folder / _TABLE)
    first = folder / f"{folders[kinds[0]]}{split}"
    names = sorted(path.name.removesuffix(ending) for path in first.glob(f"*{ending}") if path.name[0] != ".")
    if not names:
        raise DatasetError(f"{first}: no images (*{ending})")
    cases = []
    for case in names:
        row = table.get(case, {})
        images = {kind: folder / f"{folders[kind]}{split}" / f"{case}{ending}" for kind in kinds}
        for path in images.values():
            if not path.is_file():
                raise DatasetError(f"{path}: the case {case} has no such image; add it, or remove the case")
        lesions = folder / f"lesions{split}" / f"{case}{ending}"
        label = _label(folder / _TABLE, case, row.get(condition, ""), condition, classes)
        cases.append(
            LabelledCase(case, row.get("patient") or case, label, images, lesions if lesions.is_file() else None)
        )
    return cases


def _label(table: Path, case: str, value: str, condition: str, classes: Sequence[str]) -> int:
    if not value:
        raise DatasetError(f"{table}: the case {case} has no {condition}; fill the column in, or remove the case")
    if value not in classes:
        known = ", ".join(classes)
        raise DatasetError(f"{table}: the case {case} has the {condition} {value!r}, dataset.json knows {known}")
    return classes.index(value)


def _folders_of(description: Mapping[str, Any], kinds: Sequence[str], folder: Path) -> dict[str, str]:
    """The folder of the first target of each kind: ``targets`` for the first target of all, its name for the others."""
    found: dict[str, str] = {}
    for number, (name, target) in enumerate((description.get("targets") or {}).items()):
        found.setdefault(str(target.get("kind")), "targets" if number == 0 else name)
    for kind in kinds:
        if kind not in KINDS or kind not in found:
            there = ", ".join(own for own in found if own in KINDS) or "none"
            raise DatasetError(f"{folder / _FILE}: no target of the kind {kind!r}; there are: {there}")
    return found


def _description(folder: Path) -> dict[str, Any]:
    try:
        content = read_json(Path(folder) / _FILE)
    except Ct2PetError as error:
        raise DatasetError(str(error)) from None
    if not isinstance(content, dict):
        raise DatasetError(f"{Path(folder) / _FILE}: an object is expected")
    return content
