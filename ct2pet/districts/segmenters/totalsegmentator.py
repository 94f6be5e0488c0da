"""TotalSegmentator: its task body (trunk, extremities), and bones of its task total to tell the extremities apart.

Wasserthal J et al., "TotalSegmentator: robust segmentation of 104 anatomic structures in CT images", Radiol Artif
Intell 2023;5:e230024. https://github.com/wasserth/TotalSegmentator
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ct2pet.districts.base import Segmentation
from ct2pet.districts.foreign.landmarks import EXTREMITIES, LANDMARKS, TRUNK, split_body
from ct2pet.districts.foreign.segmenter import ForeignSegmenter, relabelled
from ct2pet.errors import PluginError
from ct2pet.volume import Volume

_TASKS = {"body": False, "total": True}  # the fast variant?
_BODY = {"body_trunc": TRUNK, "body_extremities": EXTREMITIES}


class TotalSegmentator(ForeignSegmenter):
    """Runs the tasks body (1.5 mm) and total (fast, 3 mm). ``weights`` is the folder that holds their Dataset299 and
    Dataset297; see ForeignSegmenter."""

    name = "totalsegmentator"
    package, module = "TotalSegmentator", "totalsegmentator"
    runner = "run_totalsegmentator"
    models: ClassVar[tuple[str, ...]] = ("Dataset299_body_1559subj", "Dataset297_TotalSegmentator_total_3mm_1559subj")

    @classmethod
    def own_weights(cls) -> Path:
        if "TOTALSEG_WEIGHTS_PATH" in os.environ:
            return Path(os.environ["TOTALSEG_WEIGHTS_PATH"])
        home = os.environ.get("TOTALSEG_HOME_DIR") or Path.home() / ".totalsegmentator"
        return Path(home) / "nnunet" / "results"

    def settings(self) -> dict[str, Any]:
        return {"tasks": ["body", "total (fast)"]}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """The districts, from trunk and extremities and the bones in them; without a confidence. Raises PluginError
        where TotalSegmentator fails or names its labels otherwise."""
        reply, maps = self.run(ct_hu, tuple(_TASKS), tasks=_TASKS, models=self.models)
        body_labels, bone_labels = reply["labels"]["body"], reply["labels"]["total"]
        missing = [name for name in _BODY if name not in body_labels]
        missing += [name for name in LANDMARKS if name not in bone_labels]
        if missing:
            raise PluginError(
                f"{self.package} {self.version} knows no {missing[0]}: use a version of the 'ct2pet[{self.name}]'"
            )
        numbers = {body_labels[name]: number for name, number in _BODY.items()}
        body = maps["body"].with_array(relabelled(maps["body"].array, numbers, self.package))
        found, warnings = split_body(body, maps["total"].array, bone_labels, districts)
        return Segmentation(body.with_array(found), {}, warnings)


SEGMENTER = TotalSegmentator
