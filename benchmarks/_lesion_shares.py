"""The share of a group of lesions in a prediction's error, and so in a loss with equal weights of all voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shares:
    """Of a district, the shares of lesions in the volume and in the sums of the absolute and the squared error."""

    volume: float
    absolute: float
    squared: float

    def __str__(self) -> str:
        parts = (f"{100 * self.volume:.2f}% of the volume", f"{100 * self.absolute:.1f}% of the absolute error")
        return ", ".join((*parts, f"{100 * self.squared:.1f}% of the squared error"))


def lesion_shares(
    regions_by_case: Mapping[str, Mapping[str, Any]],
    district: str,
    group: str,
    volumes: Mapping[str, Mapping[str, float]],
) -> Shares:
    """Over all cases of a summary. ``volumes``: of the district and of the group by case, in any one unit."""
    sums = {name: [0.0, 0.0, 0.0] for name in (district, group)}
    for case, regions in regions_by_case.items():
        for name, total in sums.items():
            if regions.get(name, {}).get("mae") is not None:  # None: without a voxel
                size, found = volumes[case][name], regions[name]
                for place, value in enumerate((1.0, found["mae"], found["rmse"] ** 2)):
                    total[place] += size * value
    return Shares(*(part / whole for part, whole in zip(sums[group], sums[district])))
