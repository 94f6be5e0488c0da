"""The fields of a dataset, parsed from dataset.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ct2pet.dataset.fields import (
    CATEGORY,
    CONDITION,
    INPUT,
    KINDS,
    LABELS,
    MASK,
    ORGANS,
    TARGET,
    Field,
    Fields,
    region_fields,
)
from ct2pet.errors import DatasetError

_NAME = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")  # "__" separates the parts of a model's folder name


def is_field_name(name: str) -> bool:
    """Whether this name is allowed for a field or a folder."""
    return bool(_NAME.fullmatch(name)) and name != MASK


def parse_fields(content: Mapping[str, Any], path: Path) -> Fields:
    """The fields in the parsed dataset.json at ``path``. Raises DatasetError where it is invalid."""
    own = [*_inputs(content, path), *_targets(content, path), *_conditions(content, path)]
    names = [one.name for one in own]
    for name in names:
        if not is_field_name(name):
            raise DatasetError(
                f"{path}: the name {name!r} is not allowed; use letters and digits with single _ or - between them"
            )
        if names.count(name) > 1:
            raise DatasetError(f"{path}: two fields have the name {name!r}; rename one")
    regions = region_fields(content.get("organs", {}), content["districts"])
    return Fields((*own, *(region for region in regions if region.name not in names)))


def _inputs(content: Mapping[str, Any], path: Path) -> list[Field]:
    channels, kinds = content["channel_names"], content.get("kinds", {})
    if not isinstance(channels, dict) or list(channels) != [str(number) for number in range(len(channels))]:
        raise DatasetError(f'{path}: channel_names must be {{"0": "CT", "1": ...}}, numbered from 0, not {channels}')
    if not isinstance(kinds, dict) or not {*kinds} <= {*map(str, channels.values())}:
        raise DatasetError(f'{path}: kinds must map channel names to kinds, {{"low_dose": "pet"}}, not {kinds}')
    inputs = []
    for number, name in channels.items():
        kind = _checked_kind(
            kinds.get(name, _kind_of_name(str(name))), f"the channel {name!r}", path, 'set it under "kinds"'
        )
        if KINDS[kind].is_labels:
            raise DatasetError(f"{path}: the channel {name!r} is a label map; inputs are images")
        inputs.append(Field(str(name), INPUT, kind, KINDS[kind].unit, "images", f"_{int(number):04d}"))
    return inputs


def _targets(content: Mapping[str, Any], path: Path) -> list[Field]:
    if ("target" in content) == ("targets" in content):
        raise DatasetError(f"{path}: one of the keys 'target' and 'targets' is needed: the images to predict")
    targets = content.get("targets")
    if targets is None:
        target = content["target"]
        name = target.get("name") if isinstance(target, dict) else None
        targets = {name: {key: value for key, value in target.items() if key != "name"}} if name else None
    if not isinstance(targets, dict) or not targets or not all(isinstance(one, dict) for one in targets.values()):
        raise DatasetError(f'{path}: targets must be {{"PET": {{"kind": "pet"}}}} or the like, at least one')
    fields: list[Field] = []
    for name, facts in targets.items():
        kind = _checked_kind(
            facts.get("kind", _kind_of_name(str(name))), f"the target {name!r}", path, 'set its "kind"'
        )
        folder = facts.get("folder", _default_folder(str(name), kind, fields))
        if not isinstance(folder, str) or not _NAME.fullmatch(folder):
            raise DatasetError(f"{path}: the folder {folder!r} of the target {name!r} is not allowed")
        labels = facts.get("labels", content.get("organs", {}) if name == ORGANS else {})
        if kind == LABELS:
            _check_target_labels(labels, str(name), path)
        fields.append(Field(str(name), TARGET, kind, facts.get("unit", KINDS[kind].unit), folder, labels=labels))
    return fields


def _default_folder(name: str, kind: str, earlier: list[Field]) -> str:
    """targetsTr for the first image, the target's own name for others: organsTr."""
    return name if kind == LABELS or any(one.folder == "targets" for one in earlier) else "targets"


def _conditions(content: Mapping[str, Any], path: Path) -> list[Field]:
    conditions = content.get("conditions", {})
    if not isinstance(conditions, dict):
        raise DatasetError(f'{path}: conditions must be {{"diagnosis": ["benign", "malignant"]}} or the like')
    fields = []
    for name, classes in conditions.items():
        texts = isinstance(classes, list) and all(isinstance(one, str) and one for one in classes)
        if not texts or len({*classes}) < len(classes) or len(classes) < 2:
            raise DatasetError(
                f"{path}: the condition {name!r} must list at least two different classes, not {classes!r}"
            )
        labels = {one: number for number, one in enumerate(classes)}
        fields.append(Field(str(name), CONDITION, CATEGORY, labels=labels))
    return fields


def _kind_of_name(name: str) -> str | None:
    """The kind in a name (CT, PET, low_dose_PET); None where the name has none."""
    words = [word.lower() for word in re.split(r"[_-]", name)]
    return next((kind for kind in KINDS if kind in words), None)


def _checked_kind(kind: Any, what: str, path: Path, remedy: str) -> str:
    if kind is None:
        raise DatasetError(f"{path}: the kind of {what} is unknown; {remedy}: {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise DatasetError(f"{path}: {what} has the unknown kind {kind!r}; known are {', '.join(KINDS)}")
    return kind


def _check_target_labels(labels: Any, name: str, path: Path) -> None:
    check_labels(labels, f"{name} label", 65535, path)
    if sorted(labels.values()) != list(range(1, len(labels) + 1)) or not labels:
        raise DatasetError(
            f"{path}: the labels of the target {name!r} must be numbered 1, 2, ... without gaps (0 is the background)"
        )


def check_labels(labels: Any, kind: str, largest: int, path: Path) -> None:
    """Raise DatasetError unless ``labels`` maps allowed names to different numbers from 1 to ``largest``."""
    if not isinstance(labels, dict):
        raise DatasetError(f"{path}: {kind}s must map names to labels, not {labels!r}")
    for name, label in labels.items():
        if not _NAME.fullmatch(name):
            reason = "is not allowed; use letters and digits with single _ or - between them"
            raise DatasetError(f"{path}: the {kind} name {name!r} {reason}")
        if not is_count(label) or not 1 <= label <= largest:
            raise DatasetError(f"{path}: the label of the {kind} {name!r} must be 1 to {largest}, not {label!r}")
    if len(set(labels.values())) < len(labels):
        raise DatasetError(f"{path}: two {kind}s have the same label: {labels}")


def is_count(value: Any) -> bool:
    """Whether a value of a JSON file is a whole number of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
