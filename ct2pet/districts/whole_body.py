"""The body as one region, for datasets without districts: found in an image, or all that the image shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ct2pet.dataset.description import WHOLE_BODY
from ct2pet.dataset.fields import CT, PET, Field
from ct2pet.districts.body import body_mask
from ct2pet.districts.pet_outline import pet_outline
from ct2pet.errors import DatasetError
from ct2pet.volume import Volume

BODY_LABEL = 1
_OUTLINES: dict[str, Callable[[Volume], np.ndarray]] = {CT: body_mask, PET: lambda pet: pet_outline(pet).array}


def region_labels(districts: Mapping[str, int]) -> dict[str, list[int]]:
    """The labels of every district in the district maps, and of the whole body, their union, which comes last."""
    return {
        **{name: [label] for name, label in districts.items() if name != WHOLE_BODY},
        WHOLE_BODY: sorted(districts.values()) or [BODY_LABEL],
    }


def whole_body_map(image: Volume, field: Field | None) -> Volume:
    """A map (uint8, label 1) of the body in ``image``, on its grid; of all voxels where ``field`` is None.

    Raises DatasetError where no body is found, or where it cannot be found in images of this kind.
    """
    if field is None:
        return Volume(np.full(image.array.shape, BODY_LABEL, np.uint8), image.grid, "label")
    if field.kind not in _OUTLINES:
        raise DatasetError(
            f"the body cannot be found in {field.name} ({field.kind}); name another input as body_mask in dataset.json"
        )
    return image.with_array(_OUTLINES[field.kind](image).astype(np.uint8), "label")
