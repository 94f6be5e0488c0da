"""The values of a PET series' headers, wherever classic, enhanced and legacy converted objects keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset

from ct2pet.errors import ImageError


class Frame:
    """One slice: the data sets that may hold its values, the most specific first.

    A classic object has one. The values of a multi-frame object lie in its own functional groups, in the shared
    ones, or at the top level (DICOM PS3.3 C.7.6.16; legacy converted objects keep what has no functional group in
    (0020,9171) and (0020,9170)).
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
        value = self.get(keyword)
        try:
            return None if value is None else float(value) or None
        except (TypeError, ValueError):
            raise ImageError(f"{name(keyword)} is not a number") from None

    def item(self, keyword: str) -> Frame | None:
        """The only item of a sequence; None where there is none. Raises ImageError where there are several."""
        items = self.get(keyword) or []
        if len(items) > 1:
            raise ImageError(f"{name(keyword)} has {len(items)} items, and nothing says which one counts")
        return Frame(items[0]) if items else None

    def private(self, group: int, creator: str, element: int) -> Any:
        """The value of a private element of ``creator``; None where it is missing or empty."""
        for dataset in self._datasets:
            try:
                value = dataset.private_block(group, creator)[element].value
            except KeyError:
                continue
            if isinstance(value, bytes):  # stored without its representation
                value = value.decode("ascii", "replace").strip(" \0")
            if value not in (None, ""):
                return value
        return None


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
    """How a message names a tag: the standard's words and its number."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return f"{dictionary_description(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def same_in_all(slices: Sequence[Frame], keyword: str) -> Any:
    """The value that all slices share. Raises ImageError where they differ."""
    values = [frame.get(keyword) for frame in slices]
    if any(value != values[0] for value in values):
        raise ImageError(f"{name(keyword)} differs between the slices of the series")
    return values[0]
