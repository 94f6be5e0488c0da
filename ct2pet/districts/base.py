"""What a segmenter offers. A new one is one new file in this folder that assigns its class to ``SEGMENTER``, or a
class of another package in the entry-point group ``ct2pet.districts``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ct2pet.volume import Volume


class Segmenter(ABC):
    """CT in, district map out."""

    @abstractmethod
    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Volume:
        """The label map of the ``districts`` (name: label) in the CT (Z, Y, X, HU) of a case.

        The map may lie on any grid that overlaps the CT; 0 is outside all districts. Raises a Ct2PetError, which
        says why, where the case has no map.
        """
