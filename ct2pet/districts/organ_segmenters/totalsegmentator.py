"""TotalSegmentator: its task total in voxels of 3 mm. The segmenter of the paper of LDOS; see documentation/how_to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct2pet.districts.base import Segmentation
from ct2pet.districts.foreign.organ_names import organ_mapping
from ct2pet.districts.foreign.segmenter import relabelled
from ct2pet.districts.segmenters.totalsegmentator import TotalSegmentator
from ct2pet.volume import Volume

_TASKS = {"total": True}  # the fast variant, 3 mm


class TotalSegmentatorOrgans(TotalSegmentator):
    """Runs the task total (fast). ``weights`` is the folder that holds its Dataset297; see ForeignSegmenter."""

    districts = None
    models = ("Dataset297_TotalSegmentator_total_3mm_1559subj",)

    def settings(self) -> dict[str, Any]:
        return {"tasks": ["total (fast)"]}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """The organs by ``organ_names.parts_of``. Raises PluginError for an organ that the task does not have."""
        reply, maps = self.run(ct_hu, tuple(_TASKS), tasks=_TASKS, models=self.models)
        mapping = organ_mapping(districts, reply["labels"]["total"], self.package)
        return Segmentation(maps["total"].with_array(relabelled(maps["total"].array, mapping, self.package)), {})


SEGMENTER = TotalSegmentatorOrgans
