"""Stitching of districts to a whole body: images with sharp borders (as in the paper) or blended over a few mm, label
maps with sharp borders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import SimpleITK as sitk

from ct2pet.preprocessing import plan_grid
from ct2pet.resampling import resample_part, to_itk
from ct2pet.volume import Box, Grid, Volume, label_mask

_SLAB_VOXELS = 2**22


def output_grid(ct: Grid, spacing: Sequence[float]) -> Grid:
    """The PET-like grid of a prediction: ``spacing`` (mm; Z towards the head, Y to the back, X to the left) over the
    CT's field of view, in the CT's order and directions of axes; the CT's own grid where the spacings agree."""
    return plan_grid(ct, spacing).reorient_like(ct)


class Stitcher:
    """Stitches images of districts on the grid of ``district_map`` (labels, canonical).

    With ``blend_mm`` = 0 every voxel has the value of its own district. Otherwise a district's weight falls linearly
    from 1 to 0 across its border with other districts, over ``blend_mm`` in total; weights are normalised to one. A
    border to air is never blended. Where the map is 0, and where a district was not added, the image has the value
    ``outside`` (SUV 0), which is also its smallest.
    """

    def __init__(self, district_map: Volume, blend_mm: float = 0.0, outside: float = 0.0) -> None:
        self.district_map, self.blend_mm, self.outside = district_map, blend_mm, outside
        shape = district_map.grid.shape
        self._mean, self._weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._labels: set[int] = set()
        self._unit = ""
        self._reach = tuple(math.ceil(blend_mm / 2 / s) + 1 if blend_mm else 0 for s in district_map.grid.spacing)

    def add(self, image: Volume, labels: Sequence[int]) -> None:
        """Add the image of the district that has these ``labels``, on any grid.

        It must have valid values up to ``blend_mm`` / 2 and one voxel outside the district. Values below ``outside``
        are set to it.
        """
        box = Box.around(label_mask(self.district_map.array, labels))
        if box is None:
            return
        self._labels.update(labels)
        self._unit = image.unit
        grid = self.district_map.grid
        copy = _on_the_same_lattice(image.grid, grid)
        for slab in _slabs(box.grown(self._reach, grid.shape)):  # type: ignore[arg-type]
            weight = self._district_weight(slab, labels)
            values = np.maximum(resample_part(image, grid.crop(slab), labels=copy).array, self.outside)
            total, mean = self._weight[slab.slices], self._mean[slab.slices]
            total += weight
            # A running mean: exact where all districts agree.
            mean += (values - mean) * np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)

    def result(self) -> Volume:
        """The stitched image, float32, in the unit of those that were added."""
        # Removes blending into districts that were not added.
        self._mean[~label_mask(self.district_map.array, sorted(self._labels))] = self.outside
        return Volume(self._mean, self.district_map.grid, self._unit)

    def _district_weight(self, slab: Box, labels: Sequence[int]) -> np.ndarray:
        grown = slab.grown(self._reach, self.district_map.grid.shape)  # type: ignore[arg-type]
        here = self.district_map.array[grown.slices]
        own = label_mask(here, labels)
        weight = border_weight(own, (here > 0) & ~own, self.district_map.grid.spacing, self.blend_mm)
        inner = tuple(slice(a - b, a - b + n) for a, b, n in zip(slab.start, grown.start, slab.shape))
        return weight[inner]


class LabelStitcher:
    """Stitches label maps of districts on the grid of ``district_map`` (labels, canonical): every voxel has the label
    of its own district's map, by nearest neighbour. It is 0 where the map is 0 and in districts that were not added."""

    def __init__(self, district_map: Volume, kind: np.dtype) -> None:
        self.district_map = district_map
        self._labels = np.zeros(district_map.grid.shape, kind)

    def add(self, labels: Volume, districts: Sequence[int]) -> None:
        """Add the label map of the district that has these labels in the district map, on any grid."""
        box = Box.around(label_mask(self.district_map.array, districts))
        if box is None:
            return
        for slab in _slabs(box):
            own = label_mask(self.district_map.array[slab.slices], districts)
            values = resample_part(labels, self.district_map.grid.crop(slab), labels=True).array
            self._labels[slab.slices][own] = values[own]

    def result(self) -> Volume:
        """The stitched label map."""
        return Volume(self._labels, self.district_map.grid, "label")


def border_weight(own: np.ndarray, other: np.ndarray, spacing: Sequence[float], blend_mm: float) -> np.ndarray:
    """The weight (float32, Z, Y, X) of a district: 1 in ``own``, 0 elsewhere, with a linear ramp of ``blend_mm`` in
    total across the border between ``own`` and ``other`` (the rest of the body).

    Distances are between voxel centres, less half a voxel, so that two neighbours' weights add up to 1.
    """
    weight = own.astype(np.float32)
    if blend_mm > 0 and own.any() and other.any():
        half_voxel = min(spacing) / 2
        for side, target, sign in ((own, other, 1.0), (other, own, -1.0)):
            ramp = 0.5 + sign * (_distance_to(target, spacing) - half_voxel) / blend_mm
            weight[side] = ramp.clip(0, 1)[side]
    return weight


def _distance_to(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """The distance (mm) of each voxel outside ``mask`` to its nearest voxel inside."""
    shape: tuple[int, int, int] = mask.shape  # type: ignore[assignment]
    grid = Grid(shape, (spacing[0], spacing[1], spacing[2]))
    distance = sitk.SignedMaurerDistanceMap(to_itk(Volume(mask, grid)), squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(distance)


def _slabs(box: Box) -> Iterator[Box]:
    """``box`` in parts along Z, to limit the memory of voxel-wise computations."""
    depth = max(1, _SLAB_VOXELS // max(1, box.shape[1] * box.shape[2]))
    for first in range(box.start[0], box.stop[0], depth):
        last = min(first + depth, box.stop[0])
        yield Box((first, *box.start[1:]), (last, *box.stop[1:]))


def _on_the_same_lattice(one: Grid, other: Grid) -> bool:
    """Whether the voxels of both grids coincide, so that values can be copied without interpolation."""
    if not np.allclose(one.spacing, other.spacing, rtol=1e-5) or not np.allclose(
        one.direction, other.direction, atol=1e-5
    ):
        return False
    offset = np.linalg.solve(other.affine[:3, :3], np.array(one.origin) - np.array(other.origin))
    return bool(np.abs(offset - offset.round()).max() < 1e-3)
