"""MOOSE: its model clin_ct_organs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct2pet.districts.base import Segmentation
from ct2pet.districts.foreign.organ_names import organ_mapping
from ct2pet.districts.foreign.segmenter import relabelled
from ct2pet.districts.segmenters.moose import MooseSegmenter
from ct2pet.volume import Volume

_MODEL = "clin_ct_organs"


class MooseOrgans(MooseSegmenter):
    """Runs clin_ct_organs. ``weights`` is the folder that holds its Dataset123_Organs; see ForeignSegmenter."""

    districts = None
    models = ("Dataset123_Organs",)

    def settings(self) -> dict[str, Any]:
        return {"model": _MODEL}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """The organs by ``organ_names.parts_of``. Raises PluginError for an organ that the model does not have."""
        labels, labelled, warnings = self.run_model(ct_hu, _MODEL)
        numbers = {name.strip().lower(): int(number) for name, number in labels.items()}
        numbers.pop("background", None)
        found = relabelled(labelled.array, organ_mapping(districts, numbers, self.package), self.package)
        return Segmentation(labelled.with_array(found), {}, warnings)


SEGMENTER = MooseOrgans
