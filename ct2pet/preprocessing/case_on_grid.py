"""A case on the plan's grid: resampled, cropped to the district, masked and normalised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ct2pet.planning.plans import Configuration, Masking
from ct2pet.preprocessing.normalization import AIR, normalize_ct, normalize_pet
from ct2pet.resampling import AIR_HU, resample_part, to_itk
from ct2pet.volume import Box, Grid, Volume, label_mask

_SLAB_VOXELS = 2**23  # resampled at once: bounds what SimpleITK's own copies of the input take


@dataclass(frozen=True)
class PreparedDistrict:
    """What a network needs of a CT: ``ct`` float32 (Z, Y, X), normalised, air where it must not look; ``mask`` bool,
    true inside the district; both on ``grid``, the plan's grid around the district."""

    ct: np.ndarray
    mask: np.ndarray
    grid: Grid


@dataclass(frozen=True)
class PreparedCase:
    """A district with its PET: ``pet`` float32 (Z, Y, X), normalised, 0 where the CT is masked; ``lesions`` bool, or
    None where the case has no lesion mask."""

    district: PreparedDistrict
    pet: np.ndarray
    lesions: np.ndarray | None


def plan_grid(reference: Grid, spacing: Sequence[float]) -> Grid:
    """The grid of the plan's ``spacing`` (Z, Y, X, mm) over the field of view of ``reference``, in the house's order.

    ``reference`` itself (oriented) where its spacing agrees to 1%: resampling would only blur.
    """
    oriented = reference.to_canonical()
    if np.allclose(oriented.spacing, spacing, rtol=0.01, atol=0):
        return oriented
    return oriented.with_spacing((spacing[0], spacing[1], spacing[2]))


def prepare_ct(
    ct: Volume, district_map: Volume, configuration: Configuration, grid: Grid | None = None
) -> PreparedDistrict | None:
    """The district of a CT as a network sees it; None where the district is absent.

    ``ct`` (HU) and ``district_map`` (labels) may lie on different grids of any orientation. ``grid`` (oriented)
    is the plan's grid of the whole case, by default that over the CT's field of view; the result is cropped
    to the district and the context that the plan's masking shows.
    """
    found = _prepared(ct, district_map, configuration, grid or plan_grid(ct.grid, configuration.spacing))
    return None if found is None else found[0]


def case_on_plan_grid(
    ct: Volume, pet: Volume, district_map: Volume, configuration: Configuration, lesions: Volume | None = None
) -> PreparedCase | None:
    """CT (HU), PET (SUV) and lesion mask of a training case around the district; None where the district is absent.

    The grid is the PET's own where its spacing is the plan's, else that of the plan over the PET's field of view.
    """
    found = _prepared(ct, district_map, configuration, plan_grid(pet.grid, configuration.spacing))
    if found is None:
        return None
    district, hidden = found
    pet_suv = _resample_in_slabs(pet.to_canonical(), district.grid, outside=0.0)
    normalised = normalize_pet(pet_suv, configuration.pet_normalization)
    normalised[hidden] = 0.0
    inside = None
    if lesions is not None:
        inside = (resample_part(lesions.to_canonical(), district.grid, labels=True).array > 0) & district.mask
    return PreparedCase(district, normalised, inside)


def _prepared(
    ct: Volume, district_map: Volume, configuration: Configuration, grid: Grid
) -> tuple[PreparedDistrict, np.ndarray] | None:
    """As ``prepare_ct``, with the mask of what a network must not see."""
    found = _district_mask(district_map.to_canonical(), configuration, grid)
    if found is None:
        return None
    mask, grid = found
    ct_hu = _resample_in_slabs(ct.to_canonical(), grid, outside=AIR_HU)
    normalised = normalize_ct(ct_hu, configuration.ct_normalization)
    hidden = ~visible(mask, grid, configuration.masking)
    normalised[hidden] = AIR
    return PreparedDistrict(normalised, mask, grid), hidden


def visible(mask: np.ndarray, grid: Grid, masking: Masking) -> np.ndarray:
    """Which voxels (Z, Y, X) a network may see: the district, and with ``context`` what is within ``margin_mm`` of it.

    Distances are between voxel centres (Maurer et al., IEEE PAMI 2003, as in SimpleITK).
    """
    if masking.kind == "hard" or masking.margin_mm == 0:
        return mask
    distance = sitk.SignedMaurerDistanceMap(
        to_itk(Volume(mask, grid)), squaredDistance=True, useImageSpacing=True, insideIsPositive=False
    )
    squared = sitk.GetArrayViewFromImage(distance)
    return mask | (squared <= masking.margin_mm**2 * (1 + 1e-6))


def _district_mask(district_map: Volume, configuration: Configuration, grid: Grid) -> tuple[np.ndarray, Grid] | None:
    """The district on the part of ``grid`` that holds it and its context."""
    box = Box.around(label_mask(part, configuration.labels) for part in district_map.array)
    if box is None:
        return None
    near = _box_around(district_map.grid.crop(box), grid)
    if near is None:
        return None
    labels = resample_part(district_map, grid.crop(near), labels=True)
    mask = label_mask(labels.array, configuration.labels)
    tight = Box.around(mask)
    if tight is None:
        return None
    margin_mm = configuration.masking.margin_mm if configuration.masking.kind == "context" else 0.0
    margin = tuple(math.ceil(margin_mm / s) for s in grid.spacing)
    shifted = Box(*(tuple(a + n for a, n in zip(ends, near.start)) for ends in tight))  # type: ignore[arg-type]
    final = shifted.grown(margin, grid.shape)  # type: ignore[arg-type]
    whole = np.zeros(final.shape, dtype=bool)
    inside = tuple(slice(a - f, b - f) for a, b, f in zip(shifted.start, shifted.stop, final.start))
    whole[inside] = mask[tight.slices]
    return whole, grid.crop(final)


def _box_around(part: Grid, grid: Grid) -> Box | None:
    """The voxels of ``grid`` that ``part`` reaches; None where they do not meet."""
    index = (part.corners - grid.affine[:3, 3]) @ np.linalg.inv(grid.affine[:3, :3]).T
    low = np.floor(index.min(axis=0)[::-1]).astype(int) - 1
    high = np.ceil(index.max(axis=0)[::-1]).astype(int) + 2
    start = tuple(int(a) for a in np.maximum(low, 0))
    stop = tuple(int(b) for b in np.minimum(high, grid.shape))
    if any(a >= b for a, b in zip(start, stop)):
        return None
    return Box(start, stop)  # type: ignore[arg-type]


def _resample_in_slabs(volume: Volume, grid: Grid, outside: float) -> np.ndarray:
    """Trilinear, float32 (Z, Y, X), some slices at a time: a whole-body volume in float32 never exists as a whole on
    the fine grid that it comes from."""
    array = np.empty(grid.shape, dtype=np.float32)
    finer = max(1.0, math.prod(grid.spacing) / math.prod(volume.grid.spacing))
    depth = max(1, int(_SLAB_VOXELS / finer / math.prod(grid.shape[1:])))
    for first in range(0, grid.shape[0], depth):
        last = min(first + depth, grid.shape[0])
        slab = grid.crop(Box((first, 0, 0), (last, *grid.shape[1:])))
        array[first:last] = resample_part(volume, slab, outside=outside).array
    return array
