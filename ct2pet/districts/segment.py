"""One CT, one segmenter: what holds for every segmenter is checked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ct2pet.dataset.plausibility import label_problems
from ct2pet.districts.base import Segmentation, Segmenter
from ct2pet.errors import DatasetError, GeometryError, PluginError
from ct2pet.volume import Volume

_DISTRICTS = ("head", "trunk", "arms", "legs")


def segment_ct(segmenter: Segmenter, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
    """The districts (name: label) of a CT (HU) in any orientation; the map (uint8) is on the CT's own grid.

    Raises what the segmenter raises, DatasetError where it found no district at all, PluginError where it broke its
    contract.
    """
    check_districts(segmenter, districts)
    oriented = ct_hu.to_canonical()
    found = segmenter.segment(case, oriented, districts)
    if not found.district_map.grid.matches(oriented.grid):
        raise GeometryError(f"the segmenter {segmenter.name} gave a map on another grid than the CT's")
    if not found.district_map.array.any():
        raise DatasetError(f"the segmenter {segmenter.name} found none of {', '.join(districts)} in the CT")
    problems = label_problems(found.district_map.array, districts.values())
    if problems:
        raise PluginError(f"the segmenter {segmenter.name} gave a wrong map: {problems[0]}")
    array = found.district_map.array.astype(np.uint8, copy=False)
    on_ct = Volume(array, oriented.grid, "label").reorient_like(ct_hu.grid)
    return replace(found, district_map=Volume(on_ct.array, ct_hu.grid, "label"))


def check_districts(segmenter: Segmenter, districts: Mapping[str, int]) -> None:
    """Raise DatasetError where the dataset has districts that the segmenter does not have."""
    unknown = [name for name in districts if segmenter.districts is not None and name not in segmenter.districts]
    if unknown:
        raise DatasetError(
            f"the segmenter {segmenter.name} finds {', '.join(segmenter.districts or ())}, not {', '.join(unknown)}; "
            "give maps of them yourself (districtsTr and districtsTs of the dataset, or --districts)"
        )


def segmenter_labels(segmenter: Segmenter) -> dict[str, int]:
    """The districts and labels of a CT that belongs to no dataset: the segmenter's own, numbered in its order."""
    return {name: label for label, name in enumerate(segmenter.districts or _DISTRICTS, start=1)}
