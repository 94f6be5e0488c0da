"""A case on the plan's grid: resampled, cropped to the district, masked and normalised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import SimpleITK as sitk

from ct2pet.dataset import Field, Fields
from ct2pet.planning.configuration import Configuration, Masking, Normalization
from ct2pet.preprocessing.normalization import for_image, normalize, outside_value
from ct2pet.resampling import resample_part, to_itk
from ct2pet.volume import Box, Grid, Volume, label_mask

_SLAB_VOXELS = 2**23  # resampled at a time, to limit the memory of SimpleITK's copies of the input


@dataclass(frozen=True)
class PreparedDistrict:
    """A district of one case as network input; all arrays (Z, Y, X) are on ``grid``, the part of the plan's grid around
    it.

    ``images``: float32, normalised, by field; with the value outside of images where masked. ``labels``: small integers
    by field, 0 where masked. ``mask``: bool, true inside the district. ``lesions``: bool, or None where the case has no
    lesion mask. ``body``: bool, true in any district.
    """

    images: dict[str, np.ndarray]
    mask: np.ndarray
    grid: Grid
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    lesions: np.ndarray | None = None
    body: np.ndarray | None = None


def plan_grid(reference: Grid, spacing: Sequence[float]) -> Grid:
    """The grid of the plan's ``spacing`` (Z, Y, X, mm) over the field of view of ``reference``, in canonical order.

    ``reference`` itself (oriented) where its spacing agrees to 1%, to avoid the blur of resampling.
    """
    oriented = reference.to_canonical()
    if np.allclose(oriented.spacing, spacing, rtol=0.01, atol=0):
        return oriented
    return oriented.with_spacing((spacing[0], spacing[1], spacing[2]))


def prepare_inputs(
    volumes: Mapping[str, Volume], district_map: Volume, configuration: Configuration, fields: Fields
) -> PreparedDistrict | None:
    """The district in the input images of a case; None where it is absent.

    ``volumes`` (by field, in the field's unit) and ``district_map`` (labels) may be on different grids of any
    orientation. The plan's grid covers the field of view of the first input; the result is cropped to the district and
    its context.
    """
    grid = plan_grid(volumes[fields.inputs[0].name].grid, configuration.spacing)
    return _prepared(volumes, fields.inputs, district_map, configuration, grid)


def district_grid(reference: Grid, district_map: Volume, configuration: Configuration) -> Grid | None:
    """The grid of ``prepare_inputs``, with the first input on ``reference``; None where the district is absent."""
    grid = plan_grid(reference, configuration.spacing)
    found = _labels_around(district_map.to_canonical(), configuration, grid)
    return None if found is None else found[1]


def prepare_case(
    volumes: Mapping[str, Volume],
    district_map: Volume,
    configuration: Configuration,
    fields: Fields,
    lesions: Volume | None = None,
) -> PreparedDistrict | None:
    """Inputs, targets and lesion mask of a training case around the district; None where the district is absent.

    The grid is that of the first target where it has the plan's spacing, else the plan's grid over its field of view.
    """
    grid = plan_grid(volumes[fields.targets[0].name].grid, configuration.spacing)
    found = _prepared(volumes, (*fields.inputs, *fields.targets), district_map, configuration, grid)
    if found is None or lesions is None:
        return found
    inside = (resample_part(lesions.to_canonical(), found.grid, labels=True).array > 0) & found.mask
    return replace(found, lesions=inside)


def _prepared(
    volumes: Mapping[str, Volume],
    fields: Sequence[Field],
    district_map: Volume,
    configuration: Configuration,
    grid: Grid,
) -> PreparedDistrict | None:
    found = _labels_around(district_map.to_canonical(), configuration, grid)
    if found is None:
        return None
    regions, grid = found
    everything = configuration.masking.kind == "none"
    mask = np.ones(regions.shape, dtype=bool) if everything else label_mask(regions, configuration.labels)
    hidden = ~visible(mask, grid, configuration.masking)
    images, labels = {}, {}
    for one in fields:
        volume = volumes[one.name].to_canonical()
        if one.rules.is_labels:
            labels[one.name] = _label_map(volume, grid, hidden)
        else:
            plan = configuration.normalization[one.name]
            images[one.name] = image_on_grid(volume, grid, hidden, one.rules.outside, plan)
    return PreparedDistrict(images, mask, grid, labels, body=regions > 0)


def image_on_grid(volume: Volume, grid: Grid, hidden: np.ndarray, outside: float, plan: Normalization) -> np.ndarray:
    """An image (canonical, in its unit) as a network's input: on ``grid``, normalised by ``plan``, float32. It is
    ``outside`` (in its unit) beyond the volume and where it is ``hidden`` (bool)."""
    image = normalize(_resample_in_slabs(volume, grid, outside), for_image(plan, volume.array))
    image[hidden] = outside_value(outside, plan)
    return image


def _label_map(volume: Volume, grid: Grid, hidden: np.ndarray) -> np.ndarray:
    labels = resample_part(volume, grid, labels=True).array
    labels = np.where(hidden, 0, labels)
    return labels.astype(np.min_scalar_type(int(labels.max(initial=0))))


def visible(mask: np.ndarray, grid: Grid, masking: Masking) -> np.ndarray:
    """The mask (Z, Y, X) of network input voxels: the district, and with ``context`` the voxels within ``margin_mm`` of
    it.

    Distances are between voxel centres (Maurer et al., IEEE PAMI 2003, as in SimpleITK).
    """
    if masking.kind != "context" or masking.margin_mm == 0:
        return mask
    distance = sitk.SignedMaurerDistanceMap(
        to_itk(Volume(mask, grid)), squaredDistance=True, useImageSpacing=True, insideIsPositive=False
    )
    squared = sitk.GetArrayViewFromImage(distance)
    return mask | (squared <= masking.margin_mm**2 * (1 + 1e-6))


def _labels_around(district_map: Volume, configuration: Configuration, grid: Grid) -> tuple[np.ndarray, Grid] | None:
    """The labels of the district map on the part of ``grid`` with the district and its context, or on all of it without
    masking; None where the district is absent."""
    box = Box.around(label_mask(part, configuration.labels) for part in district_map.array)
    if box is None:
        return None
    if configuration.masking.kind == "none":
        return resample_part(district_map, grid, labels=True).array, grid
    near = _box_around(district_map.grid.crop(box), grid)
    if near is None:
        return None
    margin_mm = configuration.masking.margin_mm if configuration.masking.kind == "context" else 0.0
    margin: tuple[int, int, int] = tuple(math.ceil(margin_mm / s) for s in grid.spacing)  # type: ignore[assignment]
    near = near.grown(margin, grid.shape)
    labels = resample_part(district_map, grid.crop(near), labels=True)
    tight = Box.around(label_mask(labels.array, configuration.labels))
    if tight is None:
        return None
    final = labels.crop(tight.grown(margin, near.shape))
    return final.array, final.grid


def _box_around(part: Grid, grid: Grid) -> Box | None:
    """The voxels of ``grid`` inside ``part``; None where they do not overlap."""
    index = (part.corners - grid.affine[:3, 3]) @ np.linalg.inv(grid.affine[:3, :3]).T
    low = np.floor(index.min(axis=0)[::-1]).astype(int) - 1
    high = np.ceil(index.max(axis=0)[::-1]).astype(int) + 2
    start = tuple(int(a) for a in np.maximum(low, 0))
    stop = tuple(int(b) for b in np.minimum(high, grid.shape))
    if any(a >= b for a, b in zip(start, stop)):
        return None
    return Box(start, stop)  # type: ignore[arg-type]


def _resample_in_slabs(volume: Volume, grid: Grid, outside: float) -> np.ndarray:
    """Trilinear, float32 (Z, Y, X), some slices at a time, to avoid a float32 copy of the whole-body volume on its fine
    grid."""
    array = np.empty(grid.shape, dtype=np.float32)
    finer = max(1.0, math.prod(grid.spacing) / math.prod(volume.grid.spacing))
    depth = max(1, int(_SLAB_VOXELS / finer / math.prod(grid.shape[1:])))
    for first in range(0, grid.shape[0], depth):
        last = min(first + depth, grid.shape[0])
        slab = grid.crop(Box((first, 0, 0), (last, *grid.shape[1:])))
        array[first:last] = resample_part(volume, slab, outside=outside).array
    return array
