"""A segmenter whose districts are put together to those of a dataset: limbs from arms and legs, say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ct2pet.districts.base import Segmentation, Segmenter, SegmenterIdentity
from ct2pet.errors import DatasetError
from ct2pet.volume import Volume

MERGE = "merge"  # the key of dataset.json's segmenter, and of the settings in a record


class MergedSegmenter(Segmenter):
    """``merge``: for each district of the dataset the districts of ``segmenter`` of which it consists. What no district
    takes stays 0. Raises DatasetError where the segmenter does not find one of them, or where one is taken twice."""

    def __init__(self, segmenter: Segmenter, merge: Mapping[str, Sequence[str]]) -> None:
        self.segmenter, self.merge = segmenter, {name: list(parts) for name, parts in merge.items()}
        self.name = segmenter.name  # type: ignore[misc]
        self.districts = tuple(merge)  # type: ignore[misc]
        self.max_processes = segmenter.max_processes  # type: ignore[misc]
        parts = [part for own in self.merge.values() for part in own]
        unknown = [part for part in parts if segmenter.districts is not None and part not in segmenter.districts]
        if unknown:
            known = ", ".join(segmenter.districts or ())
            raise DatasetError(f"the segmenter {self.name} finds {known}, not {unknown[0]} (dataset.json: {MERGE})")
        if len(set(parts)) < len(parts):
            raise DatasetError(f"two districts take the same part of the segmenter {self.name} (dataset.json: {MERGE})")

    @property
    def version(self) -> str:
        return self.segmenter.version

    def settings(self) -> dict[str, Any]:
        return {**self.segmenter.settings(), MERGE: self.merge}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """See Segmenter. A district is as sure as the least sure of its parts."""
        parts = {part: number for number, part in enumerate((p for own in self.merge.values() for p in own), start=1)}
        found = self.segmenter.segment(case, ct_hu, parts)
        labels = np.zeros(len(parts) + 1, np.uint8)
        for name, own in self.merge.items():
            for part in own:
                labels[parts[part]] = districts.get(name, 0)
        confidence = {
            name: min(sure)
            for name, own in self.merge.items()
            if name in districts and (sure := [found.confidence[part] for part in own if part in found.confidence])
        }
        merged = found.district_map.with_array(labels[found.district_map.array])
        return Segmentation(merged, confidence, found.warnings)

    def memory_gib(self, num_voxels: int) -> float:
        return self.segmenter.memory_gib(num_voxels)


def merge_of(identities: Sequence[SegmenterIdentity], name: str) -> dict[str, list[str]] | None:
    """How the maps of the segmenter ``name`` were put together, as their records say; None where they were not."""
    merges = [one.settings.get(MERGE) for one in identities if one.name == name]
    return next((merge for merge in merges if merge), None)
