"""dataset.json of a low-dose dataset: the input is a low-dose PET, the targets are a full-dose PET and organ labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ct2pet.dataset.description import FILE_NAME
from ct2pet.errors import DatasetError
from ct2pet.files import write_json


def check_dose_fraction(dose_fraction: float) -> None:
    """Raise DatasetError where a dose fraction is not above 0 and at most 1."""
    if not 0 < dose_fraction <= 1:
        raise DatasetError(f"a dose fraction must be above 0 and at most 1, not {dose_fraction:g}")


def write_low_dose_json(
    folder: str | os.PathLike,
    *,
    name: str,
    dose_fraction: float,
    num_training: int,
    organs: Mapping[str, int] | None = None,
    file_ending: str = ".nii.gz",
    **extra: Any,
) -> None:
    """Write ``folder``/dataset.json: the input is a PET of ``dose_fraction``, the targets are the full-dose PET and the
    labels of ``organs``, if given. Raises DatasetError for an invalid dose fraction."""
    check_dose_fraction(dose_fraction)
    targets: dict[str, dict[str, Any]] = {"PET": {"kind": "pet", "unit": "SUVbw g/ml"}}
    if organs is not None:
        targets["organs"] = {"kind": "labels", "folder": "organs", "labels": dict(organs)}
    content = {
        "name": name,
        "channel_names": {"0": "PET_low"},
        "kinds": {"PET_low": "pet"},
        "targets": targets,
        "dose_fraction": dose_fraction,
        "districts": {},
        "numTraining": num_training,
        "file_ending": file_ending,
        **extra,
    }
    write_json(Path(folder) / FILE_NAME, content)
