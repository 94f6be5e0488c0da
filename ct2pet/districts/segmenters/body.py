"""The whole body as one district: for datasets of one part of the body, such as limbs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import ct2pet
from ct2pet.districts.base import Segmentation, Segmenter
from ct2pet.districts.body import body_mask
from ct2pet.errors import DatasetError
from ct2pet.volume import Volume


class BodySegmenter(Segmenter):
    """Gives every voxel of the body the label of the only district."""

    name = "body"

    @property
    def version(self) -> str:
        return ct2pet.__version__

    def settings(self) -> dict[str, Any]:
        return {}

    def segment(self, case: str, ct_hu: Volume, districts: Mapping[str, int]) -> Segmentation:
        """See Segmenter. Raises DatasetError where there are several districts, or where the CT shows no body."""
        if len(districts) != 1:
            raise DatasetError(f"the segmenter body makes maps of one district, not of {', '.join(districts)}")
        (label,) = districts.values()
        return Segmentation(ct_hu.with_array(body_mask(ct_hu) * np.uint8(label), "label"), {})


SEGMENTER = BodySegmenter
