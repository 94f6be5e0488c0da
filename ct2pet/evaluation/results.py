"""The result of one case's evaluation, for the summary."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ct2pet.evaluation.names import PREDICTION

Metrics = dict[str, "float | None"]
Regions = dict[str, Metrics]
Lesion = dict[str, Any]  # numbers, and the names of the district of its position and of its group


@dataclass(frozen=True)
class HotSpots:
    """The number of hot spots of one PET at each of ``detection.THRESHOLDS_SUV``: those that touch no lesion
    (``false_positives``), and of these the ones where the real PET is below the threshold (``false_hot_spots``)."""

    false_positives: Sequence[int]
    false_hot_spots: Sequence[int]


@dataclass(frozen=True)
class CaseResult:
    """One case, by method ("prediction" and the names of the baselines).

    ``regions``: {METHOD: {REGION: {METRIC: value or None}}}. ``lesions``: {METHOD: one entry per lesion}; None without
    a lesion mask; an empty mask gives empty lists. ``hot_spots``: as ``lesions``, and also of the method "real".
    """

    regions: Mapping[str, Regions]
    lesions: Mapping[str, Sequence[Lesion]] | None = None
    hot_spots: Mapping[str, HotSpots] = field(default_factory=dict)

    def without(self, regions: Collection[str]) -> CaseResult:
        """The same result without these regions."""
        kept = {
            method: {name: metrics for name, metrics in found.items() if name not in regions}
            for method, found in self.regions.items()
        }
        return replace(self, regions=kept)

    def with_regions(self, regions: Regions) -> CaseResult:
        """The same result with additional metrics of the prediction."""
        own = dict(self.regions.get(PREDICTION, {}))
        for name, metrics in regions.items():
            own[name] = {**own.get(name, {}), **metrics}
        return replace(self, regions={**self.regions, PREDICTION: own})
