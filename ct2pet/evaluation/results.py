"""What one case's evaluation hands over to the summary."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ct2pet.evaluation.names import PREDICTION

Metrics = dict[str, "float | None"]
Regions = dict[str, Metrics]
Lesion = dict[str, Any]  # numbers, and the name of the district in which it lies


@dataclass(frozen=True)
class HotSpots:
    """How many hot spots one PET has at each of ``detection.THRESHOLDS_SUV``: those that touch no lesion
    (``false_positives``), and of these the ones where the real PET is not that hot either (``false_hot_spots``)."""

    false_positives: Sequence[int]
    false_hot_spots: Sequence[int]


@dataclass(frozen=True)
class CaseResult:
    """One case, by method ("prediction" and the names of the baselines).

    ``regions``: {METHOD: {REGION: {METRIC: value or None}}}. ``lesions``: {METHOD: one entry a lesion}; None where
    lesions were not marked, while a mask without any gives empty lists. ``hot_spots``: as ``lesions``, and also of the
    method "real".
    """

    regions: Mapping[str, Regions]
    lesions: Mapping[str, Sequence[Lesion]] | None = None
    hot_spots: Mapping[str, HotSpots] = field(default_factory=dict)

    def without(self, regions: Collection[str]) -> CaseResult:
        """The same, these regions left out."""
        kept = {
            method: {name: metrics for name, metrics in found.items() if name not in regions}
            for method, found in self.regions.items()
        }
        return replace(self, regions=kept)

    def with_regions(self, regions: Regions) -> CaseResult:
        """The same with these metrics of the prediction beside those that each region has."""
        own = dict(self.regions.get(PREDICTION, {}))
        for name, metrics in regions.items():
            own[name] = {**own.get(name, {}), **metrics}
        return replace(self, regions={**self.regions, PREDICTION: own})
