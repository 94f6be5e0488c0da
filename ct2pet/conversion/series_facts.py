"""Facts from the headers of a PET series: SUV factors, geometry, sex and age of the patient."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from ct2pet.dicom.pairing import Placed
from ct2pet.dicom.reading import read_dataset
from ct2pet.dicom.series import Stack
from ct2pet.errors import ImageError
from ct2pet.suv import Supplied, SuvFactors, suv_factors

_AGE = re.compile(r"(\d{3})([DWMY])")
_OLDEST = 90  # and older; rare ages can identify a patient


def stack_headers(stack: Stack) -> dict[Path, Dataset]:
    """The data sets of a series without their pixels, in the order of its slices. Raises ImageError for a file that
    cannot be read."""
    headers: dict[Path, Dataset] = {}
    for item in stack.slices:
        if item.path not in headers:
            try:
                headers[item.path] = read_dataset(item.path)
            except ImageError as error:
                raise ImageError(f"{item.name}: {error}") from None
    return headers


def suv_of_slices(stack: Stack, headers: dict[Path, Dataset], supplied: Supplied | None = None) -> SuvFactors:
    """The SUV factors of a series in the order of its slices, from its ``stack_headers``. Raises ImageError as
    ``suv_factors`` does, whose order is that of the files and their frames."""
    found = suv_factors(list(headers.values()), supplied)
    frames = [len(header.get("PerFrameFunctionalGroupsSequence") or [None]) for header in headers.values()]
    first = dict(zip(headers, np.cumsum([0, *frames])))
    order = [first[item.path] + (item.frame or 0) for item in stack.slices]
    return SuvFactors(found.factors[order], found.how, found.notes)


def geometry_of(placed: Placed) -> dict[str, Any]:
    """The facts of a series in the record: numbers only."""
    grid = placed.stack.grid
    return {
        "series_number": placed.first.series_number,
        "shape": list(grid.shape),
        "spacing_mm": [round(value, 4) for value in grid.spacing],
    }


def sex_of(header: Dataset) -> str:
    """M, F or O; empty where the header does not have it."""
    sex = str(header.get("PatientSex", "") or "").strip().upper()
    return sex if sex in ("M", "F", "O") else ""


def age_of(header: Dataset) -> str:
    """Years, 90 for all that are older; empty where the header does not have it."""
    match = _AGE.fullmatch(str(header.get("PatientAge", "") or "").strip().upper())
    if not match:
        return ""
    years = int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]]
    return str(min(int(years), _OLDEST))
