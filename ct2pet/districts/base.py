"""What a segmenter offers. A new one is one file in the folder ``segmenters`` that assigns its class to ``SEGMENTER``,
or a class of another package in the entry-point group ``ct2pet.districts.segmenters``."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ct2pet.volume import Volume

LOW_CONFIDENCE = 0.5  # below it a person should look at the district before the map is used


@dataclass(frozen=True)
class Segmentation:
    """The districts of one CT.

    ``district_map``: labels (uint8, Z, Y, X) on the CT's own grid, 0 outside all districts. ``confidence``: 0 (do not
    trust) to 1, by the district's name, of those in the map; below LOW_CONFIDENCE a person should look. Empty
    where the segmenter has no opinion. ``warnings``: plain sentences for a
    person, each one line, without the case's name.
    """

    district_map: Volume
    confidence: Mapping[str, float]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SegmenterIdentity:
    """What made a district map: the segmenter's name, version and settings."""

    name: str
    version: str
    settings: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class Segmenter(ABC):
    """CT in, district map out.

    It is made once for many cases, by ``cls(**options)`` with those of its ``options`` that the user gave, and is sent
    to other processes (pickle). Its constructor raises a Ct2PetError, in one line that says what to do, where it
    cannot work at all (a package or weights are missing).
    """

    name: ClassVar[str]  # as in --segmenter
    options: ClassVar[tuple[str, ...]] = ()  # keyword arguments of the constructor: of "weights", "folder", "device"
    districts: ClassVar[tuple[str, ...] | None] = None  # the names that it can find; None: whatever the dataset names
    max_processes: ClassVar[int | None] = None  # cases at the same time; None: as many as the memory holds

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the package that does the work: ct2pet's own, or the foreign one's."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What else the maps depend on, as JSON: the same settings give the same maps. No folder of this machine."""

    @abstractmethod
    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """The ``districts`` (name: label) in the CT of a case (Z, Y, X, HU, see Volume.to_canonical).

        Districts that the dataset does not name stay 0. Raises a Ct2PetError, which says why, where the case gets no
        map. Doubt is no error: it lowers the confidence and is described in the warnings.
        """

    def identity(self, case: str) -> SegmenterIdentity:
        """What makes the map of a case; the same for all cases, unless the maps were made elsewhere."""
        return SegmenterIdentity(self.name, self.version, json.loads(json.dumps(self.settings())))

    def memory_gib(self, num_voxels: int) -> float:
        """The most memory (GiB) that ``segment`` takes for a CT of so many voxels, the CT included."""
        return 0.5 + 24 * num_voxels / 2**30
