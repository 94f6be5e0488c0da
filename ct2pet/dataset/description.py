"""dataset.json: what a dataset says about itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import read_json, write_json
from ct2pet.imageio import image_suffixes

FILE_NAME = "dataset.json"
WHOLE_BODY = "whole_body"  # the union of all districts, a configuration of its own: no district may have this name
_NAME = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*")  # "__" separates the parts of a model's folder name
_KEYS = ("channel_names", "target", "numTraining", "file_ending", "districts")


@dataclass(frozen=True)
class Description:
    """The content of dataset.json. ``districts`` and ``organs`` map a name to its label in the maps; ``extra`` holds
    the keys that ct2pet does not use (name, licence, reference, ...)."""

    num_training: int
    file_ending: str
    districts: Mapping[str, int]
    organs: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def write_dataset_json(
    folder: str | os.PathLike,
    *,
    name: str,
    districts: Mapping[str, int],
    num_training: int,
    file_ending: str = ".nii.gz",
    **extra: Any,
) -> None:
    """Write ``folder``/dataset.json. Raises DatasetError where a district or the file ending cannot be used."""
    path = Path(folder) / FILE_NAME
    content = {
        "name": name,
        "channel_names": {"0": "CT"},
        "target": {"name": "PET", "unit": "SUVbw g/ml"},
        "numTraining": int(num_training),
        "file_ending": file_ending,
        "districts": {str(district): int(label) for district, label in districts.items()},
        **extra,
    }
    _check(content, path)
    write_json(path, content)


def read_dataset_json(folder: str | os.PathLike) -> Description:
    """Read ``folder``/dataset.json. Raises DatasetError where it is missing or breaks a rule."""
    path = Path(folder) / FILE_NAME
    try:
        content = read_json(path)
    except Ct2PetError as error:
        raise DatasetError(str(error)) from None
    _check(content, path)
    organs = content.pop("organs", {})
    extra = {key: value for key, value in content.items() if key not in _KEYS}
    return Description(content["numTraining"], content["file_ending"], content["districts"], organs, extra)


def _check(content: Any, path: Path) -> None:
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: an object with the keys {', '.join(_KEYS)} is expected")
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise DatasetError(f"{path}: the key {missing[0]!r} is missing")
    channels = content["channel_names"]
    if not isinstance(channels, dict) or list(channels) != ["0"]:
        raise DatasetError(f'{path}: channel_names must be one channel, {{"0": "CT"}}, not {channels}')
    if not _is_count(content["numTraining"]):
        raise DatasetError(f"{path}: numTraining must be a number of cases, not {content['numTraining']!r}")
    if content["file_ending"] not in image_suffixes():
        endings = ", ".join(image_suffixes())
        raise DatasetError(f"{path}: file_ending must be one of {endings}, not {content['file_ending']!r}")
    if not content["districts"]:
        raise DatasetError(f"{path}: districts must name at least one district with its label")
    if isinstance(content["districts"], dict) and WHOLE_BODY in content["districts"]:
        raise DatasetError(f"{path}: the district name {WHOLE_BODY!r} is taken")
    _check_labels(content["districts"], "district", 255, path)
    _check_labels(content.get("organs", {}), "organ", 65535, path)


def _check_labels(labels: Any, kind: str, largest: int, path: Path) -> None:
    if not isinstance(labels, dict):
        raise DatasetError(f"{path}: {kind}s must be names with their labels, not {labels!r}")
    for name, label in labels.items():
        if not _NAME.fullmatch(name):
            reason = "may hold letters, digits and single _ or - between them"
            raise DatasetError(f"{path}: the {kind} name {name!r} {reason}")
        if not _is_count(label) or not 1 <= label <= largest:
            raise DatasetError(f"{path}: the label of the {kind} {name!r} must be 1 to {largest}, not {label!r}")
    if len(set(labels.values())) < len(labels):
        raise DatasetError(f"{path}: two {kind}s have the same label: {labels}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
