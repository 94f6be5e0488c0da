"""The values of a PET series' headers, for classic, enhanced and legacy converted objects."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset

from ct2pet.errors import ImageError


class Frame:
    """One slice: the data sets with its values, the most specific first.

    A classic object has one. The values of a multi-frame object are in its own functional groups, in the shared ones,
    or at the top level (DICOM PS3.3 C.7.6.16; legacy converted objects keep what has no functional group in (0020,9171)
    and (0020,9170)).
    """

    def __init__(self, *datasets: Dataset) -> None:
        self._datasets = datasets

    def get(self, keyword: str) -> Any:
        """The value of a tag; None where it is missing or empty."""
        for dataset in self._datasets:
            value = dataset.get(keyword)
            if value is not None and value != "" and value != []:
                return value
        return None

    def number(self, keyword: str) -> float | None:
        """The value as a number; None where it is missing, empty or 0 (what systems write for unknown)."""
        return self.number_or_zero(keyword) or None

    def number_or_zero(self, keyword: str) -> float | None:
        """The value as a number, 0 too; None where it is missing or empty. Raises ImageError for anything else."""
        value = self.get(keyword)
        try:
            number = None if value is None else float(value)
        except (TypeError, ValueError):
            raise ImageError(f"{name(keyword)} is not a number") from None
        if number is not None and not math.isfinite(number):
            raise ImageError(f"{name(keyword)} is not a number")
        return number

    def item(self, keyword: str) -> Frame | None:
        """The only item of a sequence; None where there is none. Raises ImageError where there are several."""
        items = self.get(keyword) or []
        if len(items) > 1:
            raise ImageError(f"{name(keyword)} has {len(items)} items; expected one")
        return Frame(items[0]) if items else None

    def private(self, element: PrivateElement) -> PrivateValue | None:
        """The value of a private element and the creator of its block; None where it is missing or empty.

        Elements belong to the creator that reserves their block (PS3.5 7.8.1), wherever that block is.
        """
        for dataset in self._datasets:
            for block in _blocks(dataset, element):
                value = _text(dataset, element, block)
                if value:
                    return PrivateValue(value, Creator.OWN)
            value = _text(dataset, element, _FIRST_BLOCK)
            if value:
                other = str(dataset.get((element.group, _FIRST_BLOCK), "") or "")
                return PrivateValue(value, Creator.OTHER if other else Creator.MISSING)
        return None

    def made_by(self, manufacturers: Sequence[str]) -> bool:
        """Whether Manufacturer (0008,0070) is one of these, in any case and with any addition."""
        text = str(self.get("Manufacturer") or "").upper()
        return any(re.search(rf"\b{manufacturer}\b", text) for manufacturer in manufacturers)


@dataclass(frozen=True)
class PrivateElement:
    """A private element: its ``creator`` reserves a block of the ``group``, and ``element`` is its place in that
    block. ``name``: its name in messages, with its usual tag. ``manufacturers``: those that write it."""

    group: int
    creator: str
    element: int
    name: str
    manufacturers: tuple[str, ...]


class Creator(Enum):
    """The creator of the block of a private element."""

    OWN = "its creator"
    MISSING = "none: some archives remove the creators and leave the elements"
    OTHER = "another creator: the element means something else"


@dataclass(frozen=True)
class PrivateValue:
    """A value that is not empty, without padding."""

    text: str
    creator: Creator


_FIRST_BLOCK = 0x10


def _blocks(dataset: Dataset, element: PrivateElement) -> Iterator[int]:
    """The blocks of the group that the creator reserves; its name is compared without case and spaces."""
    for block in range(_FIRST_BLOCK, 0x100):
        if (element.group, block) in dataset:
            creator = str(dataset[element.group, block].value or "").strip("\0 ")
            if creator.casefold() == element.creator.casefold():
                yield block


def _text(dataset: Dataset, element: PrivateElement, block: int) -> str:
    tag = (element.group, block << 8 | element.element)
    value = dataset[tag].value if tag in dataset else None
    if isinstance(value, bytes):  # stored without its representation
        value = value.decode("ascii", "replace")
    return "" if value is None else str(value).strip("\0 ")


def frames(headers: Sequence[Dataset]) -> list[Frame]:
    """The slices of a series: one of each classic object, all frames of each multi-frame one, in the given order."""
    found = []
    for header in headers:
        per_frame = header.get("PerFrameFunctionalGroupsSequence")
        if not per_frame:
            found.append(Frame(header))
            continue
        shared = [group for item in header.get("SharedFunctionalGroupsSequence") or [] for group in _groups(item)]
        found += [Frame(*_groups(frame), *shared, header) for frame in per_frame]
    return found


def _groups(item: Dataset) -> list[Dataset]:
    """One item of functional groups, and the macros in it."""
    return [item, *(macro for element in item if element.VR == "SQ" for macro in element.value or [])]


def name(keyword: str) -> str:
    """A tag in messages: the standard's name and its number."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return f"{dictionary_description(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def same_in_all(slices: Sequence[Frame], keyword: str) -> Any:
    """The value that all slices share. Raises ImageError where they differ."""
    values = [frame.get(keyword) for frame in slices]
    if any(value != values[0] for value in values):
        raise ImageError(f"{name(keyword)} differs between the slices of the series")
    return values[0]
