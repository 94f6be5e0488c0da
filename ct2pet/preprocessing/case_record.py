"""The JSON file of a stored case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ct2pet.volume import Grid


@dataclass(frozen=True)
class CaseRecord:
    """CASE.json of a store. ``key`` and ``decisions``: the sources of the case. ``present``: whether the district
    occurs; otherwise the other values are empty. ``images``, ``labels``: the fields that are stored. ``labels_found``:
    the labels that occur, by label map. ``crc32``: the checksum of each file, by its ending."""

    key: str
    decisions: dict[str, Any]
    present: bool
    grid: Grid | None = None
    images: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    labels_found: dict[str, list[int]] = field(default_factory=dict)
    has_lesions: bool = False
    conditions: dict[str, str] = field(default_factory=dict)
    crc32: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.present and (self.grid is None or not self.images + self.labels):
            raise ValueError("a case with present: true needs a grid and fields")
        if not self.present and (self.grid is not None or self.images or self.labels):
            raise ValueError("a case with present: false must have no grid and no fields")
        if {*self.labels_found} != {*self.labels}:
            raise ValueError("labels_found must have the label maps of labels as its keys")
