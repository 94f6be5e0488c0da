"""dataset.json: the description of a dataset."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.dataset.field_parsing import check_labels, is_count, parse_fields
from ct2pet.dataset.fields import ORGANS, Fields
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import read_json, write_json
from ct2pet.imageio import image_suffixes

FILE_NAME = layout.DATASET
_LESION_REGION = re.compile(r"lesions(_.*)?")  # names of lesions and of their groups among the regions of an evaluation
WHOLE_BODY = "whole_body"  # name of the configuration of all districts together; not allowed for a district
_REQUIRED = ("channel_names", "numTraining", "file_ending", "districts")
_CT_AND_PET = {
    "channel_names": {"0": "CT"},
    "target": {"name": "PET", "unit": "SUVbw g/ml"},
}
_USED = {
    *(*_REQUIRED, "kinds", "target", "targets", "conditions", "organs", "lesion_groups", "body_mask"),
    *("dose_fraction", "segmenter"),
}


@dataclass(frozen=True)
class Description:
    """The validated content of dataset.json. ``content`` keeps every key of the file."""

    content: Mapping[str, Any]
    fields: Fields = field(compare=False)

    @property
    def num_training(self) -> int:
        return self.content["numTraining"]

    @property
    def file_ending(self) -> str:
        return self.content["file_ending"]

    @property
    def districts(self) -> dict[str, int]:
        """The districts and their labels in the district maps; empty where the dataset has none."""
        return dict(self.content["districts"])

    @cached_property
    def organs(self) -> dict[str, int]:
        """The organs and their labels in the organ maps, which can also be a target."""
        return dict(self.content.get("organs") or self.fields[ORGANS].labels)

    @property
    def lesion_groups(self) -> dict[str, int]:
        """The names of the labels in the lesion masks; empty where all lesions are one group."""
        return dict(self.content.get("lesion_groups", {}))

    @property
    def body_mask(self) -> str | None:
        """Without districts: the input in which the body is found; None where all voxels count."""
        first = self.fields.inputs[0].name if self.fields.inputs else None
        return self.content.get("body_mask", first)

    @property
    def segmenter(self) -> str | None:
        """The segmenter of missing district maps; None: chosen by the user or by the existing maps."""
        return self.content.get("segmenter", {}).get("name")

    @property
    def segmenter_merge(self) -> dict[str, list[str]] | None:
        """For each district of the dataset the districts of the segmenter that are merged into it."""
        return self.content.get("segmenter", {}).get("merge")

    @property
    def extra(self) -> dict[str, Any]:
        """The keys that ct2pet does not use (name, licence, reference, ...)."""
        return {key: value for key, value in self.content.items() if key not in _USED}


def write_dataset_json(
    folder: str | os.PathLike,
    *,
    name: str,
    districts: Mapping[str, int],
    num_training: int,
    file_ending: str = ".nii.gz",
    **more: Any,
) -> None:
    """Write ``folder``/dataset.json: of paired CT and PET, unless ``more`` names other channels and targets.

    ``more``: further keys of the file. Raises DatasetError where the content is invalid.
    """
    own_fields = {} if {"channel_names", "targets"} & {*more} else _CT_AND_PET
    content = {
        "name": name,
        **own_fields,
        "numTraining": int(num_training),
        "file_ending": file_ending,
        "districts": {str(district): int(label) for district, label in districts.items()},
        **more,
    }
    _write(Path(folder) / FILE_NAME, content)


def update_dataset_json(folder: str | os.PathLike, **changes: Any) -> None:
    """Replace these keys of ``folder``/dataset.json; all others are kept. Raises DatasetError as
    read_dataset_json."""
    _write(Path(folder) / FILE_NAME, {**read_dataset_json(folder).content, **changes})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    _described(content, path)
    write_json(path, content)


def read_dataset_json(folder: str | os.PathLike) -> Description:
    """Read ``folder``/dataset.json. Raises DatasetError where it is missing or invalid."""
    path = Path(folder) / FILE_NAME
    try:
        content = read_json(path)
    except Ct2PetError as error:
        raise DatasetError(str(error)) from None
    return _described(content, path)


def _described(content: Any, path: Path) -> Description:
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: expected an object with the keys {', '.join(_REQUIRED)}")
    missing = [key for key in _REQUIRED if key not in content]
    if missing:
        raise DatasetError(f"{path}: the key {missing[0]!r} is missing")
    if not is_count(content["numTraining"]):
        raise DatasetError(f"{path}: numTraining must be a number of cases, not {content['numTraining']!r}")
    if content["file_ending"] not in image_suffixes():
        endings = ", ".join(image_suffixes())
        raise DatasetError(f"{path}: file_ending must be one of {endings}, not {content['file_ending']!r}")
    for name in content["districts"] if isinstance(content["districts"], dict) else ():
        if name == WHOLE_BODY or _LESION_REGION.fullmatch(name):
            raise DatasetError(f"{path}: the name {name!r} is reserved; rename this district")
    check_labels(content["districts"], "district", 255, path)
    check_labels(content.get("organs", {}), "organ", 65535, path)
    check_labels(content.get("lesion_groups", {}), "lesion group", 255, path)
    fraction = content.get("dose_fraction", 1)
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction <= 1:
        raise DatasetError(f"{path}: dose_fraction must be above 0 and at most 1 (0.05 is 5% dose), not {fraction!r}")
    description = Description(content, parse_fields(content, path))
    _check_segmenter(content.get("segmenter", {"name": "rules"}), content["districts"], path)
    known = [one.name for one in description.fields.inputs]
    if description.body_mask not in (None, *known):
        raise DatasetError(f"{path}: body_mask must be one of the inputs {', '.join(known)}, or null")
    return description


def _check_segmenter(segmenter: Any, districts: Mapping[str, int], path: Path) -> None:
    form = '{"name": "rules", "merge": {"limbs": ["arms", "legs"]}}'
    if (
        not isinstance(segmenter, dict)
        or not isinstance(segmenter.get("name"), str)
        or {*segmenter} - {"name", "merge"}
    ):
        raise DatasetError(f"{path}: segmenter must be {form} (merge is optional), not {segmenter!r}")
    merge = segmenter.get("merge")
    if merge is None:
        return
    well_formed = isinstance(merge, dict) and all(
        isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts) for parts in merge.values()
    )
    if not well_formed or {*merge} != {*districts}:
        names = ", ".join(districts)
        raise DatasetError(f"{path}: merge must list the segmenter's districts of every district ({names}): {form}")
