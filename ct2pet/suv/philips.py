"""The private factors of Philips from counts (Units CNTS) to SUV or Bq/ml."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ct2pet.errors import ImageError
from ct2pet.suv.header import Creator, Frame, PrivateElement, PrivateValue

_CREATOR, _MANUFACTURERS = "Philips PET Private Group", ("PHILIPS",)
SUV_FACTOR = PrivateElement(0x7053, _CREATOR, 0x00, "Philips' SUV factor (7053,1000)", _MANUFACTURERS)
ACTIVITY_FACTOR = PrivateElement(0x7053, _CREATOR, 0x09, "Philips' activity factor (7053,1009)", _MANUFACTURERS)


def factors(slices: Sequence[Frame], element: PrivateElement, notes: list[str]) -> np.ndarray | None:
    """The factor of each slice; None where one cannot be used, see ``why_not``.

    An element that no private creator reserves is used where Manufacturer is Philips, and noted.
    """
    values = [frame.private(element) for frame in slices]
    found = [_number(value, element) for frame, value in zip(slices, values) if _usable(frame, value)]
    if len(found) < len(slices) or min(found) <= 0:
        return None
    if any(value is not None and value.creator is Creator.MISSING for value in values):
        notes.append(
            f"{element.name} has no private creator (7053,0010); it is used because the manufacturer is Philips"
        )
    return np.array(found)


def _usable(frame: Frame, value: PrivateValue | None) -> bool:
    if value is None:
        return False
    return value.creator is Creator.OWN or (value.creator is Creator.MISSING and frame.made_by(_MANUFACTURERS))


def _number(value: PrivateValue | None, element: PrivateElement) -> float:
    try:
        number = float(value.text if value is not None else "")
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise ImageError(f"{element.name} is not a number")
    return number


def why_not(slices: Sequence[Frame], element: PrivateElement) -> str:
    """Why the factors of an element are not used."""
    for frame in slices:
        value = frame.private(element)
        if value is None:
            return f"{element.name} is missing"
        if value.creator is Creator.OTHER:
            return f"{element.name} exists, but the private creator (7053,0010) is not Philips"
        if not _usable(frame, value):
            return f"{element.name} exists, but without its private creator (7053,0010) and Philips as manufacturer"
        if _number(value, element) <= 0:
            return f"{element.name} is not above 0"
    return f"{element.name} is not used"
