"""The districts and lesions of a case as codes for the viewer, and the position of each lesion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_position

from ct2pet.evaluation.lesions import components
from ct2pet.resampling import resample
from ct2pet.volume import Triple, Volume

LESION = 128  # the bit of a voxel of a lesion; the other bits number the districts


@dataclass(frozen=True)
class RegionMap:
    """``codes``: uint8 on the grid of the real PET, 0 outside, district number 1, 2, ... (``districts`` in this order),
    and LESION where a lesion is. ``lesions``: the hottest voxel of each lesion in the real PET (LPS, mm), in the order
    of the evaluation."""

    codes: Volume
    districts: tuple[str, ...] = ()
    lesions: tuple[Triple, ...] = ()


def region_map(
    real_pet: Volume, district_map: Volume | None, labels: Mapping[str, int], lesions: Volume | None
) -> RegionMap | None:
    """The regions of a case; each map may have its own grid. None without both."""
    if district_map is None and lesions is None:
        return None
    real = real_pet.to_canonical()
    codes = np.zeros(real.grid.shape, np.uint8)
    names: tuple[str, ...] = ()
    if district_map is not None:
        names = tuple(labels)[: LESION - 1]
        found = resample(district_map.to_canonical(), real.grid, labels=True).array
        for number, name in enumerate(names, start=1):
            codes[found == labels[name]] = number
    places: tuple[Triple, ...] = ()
    if lesions is not None:
        numbered = components(resample(lesions.to_canonical(), real.grid, labels=True).array > 0)
        codes[numbered > 0] |= LESION
        places = _places(real, numbered)
    return RegionMap(real.with_array(codes, "label"), names, places)


def _places(real: Volume, numbered: np.ndarray) -> tuple[Triple, ...]:
    count = int(numbered.max())
    if not count:
        return ()
    hottest = maximum_position(real.array, numbered, range(1, count + 1))
    return tuple(tuple((real.grid.affine @ [x, y, z, 1.0])[:3].tolist()) for z, y, x in hottest)  # type: ignore[misc]
