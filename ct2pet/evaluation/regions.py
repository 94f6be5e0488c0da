"""The real PET, the prediction and the regions in which errors are counted, on one grid."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ct2pet.errors import GeometryError, ImageError
from ct2pet.evaluation.names import LESIONS
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.resampling import resample
from ct2pet.volume import Volume


def real_and_regions(
    real_pet: Volume, district_map: Volume, districts: Mapping[str, int], lesions: Volume | None = None
) -> tuple[Volume, dict[str, np.ndarray]]:
    """The real PET, float32 and oriented, and the mask of each region on its grid."""
    _require_finite(real_pet, "real PET")
    real = real_pet.oriented()
    real = real.with_array(np.ascontiguousarray(real.array, dtype=np.float32))
    labels = resample(district_map.oriented(), real.grid, labels=True).array
    masks = {WHOLE_BODY: np.isin(labels, list(districts.values()))}
    if not masks[WHOLE_BODY].any():
        raise ImageError(f"the district map holds no district ({', '.join(districts)}) where the real PET is")
    masks.update({name: labels == label for name, label in districts.items()})
    if lesions is not None:
        masks[LESIONS] = resample(lesions.oriented(), real.grid, labels=True).array > 0
    return real, masks


def picked_regions(masks: Mapping[str, np.ndarray], names: Collection[str] | None) -> dict[str, np.ndarray]:
    """The masks of these names; all of them for None."""
    return {name: mask for name, mask in masks.items() if names is None or name in names}


def on_grid_of(fake_pet: Volume, real: Volume) -> np.ndarray:
    """The prediction (Z, Y, X, float32) on the real PET's grid: linear, and 0 where it does not reach."""
    _require_finite(fake_pet, "prediction")
    if fake_pet.grid.overlap(real.grid) == 0:
        raise GeometryError("prediction and real PET lie at different places in space: they do not overlap")
    return np.ascontiguousarray(resample(fake_pet.oriented(), real.grid).array, dtype=np.float32)


def _require_finite(volume: Volume, what: str) -> None:
    if not np.isfinite(volume.array).all():
        raise ImageError(f"the {what} holds values that are not numbers (NaN or infinite)")
