"""Resampling of volumes from one grid to another, in physical space (SimpleITK)."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ct2pet.volume import Box, Grid, Volume

AIR_HU = -1024.0


def to_itk(volume: Volume) -> sitk.Image:
    """The SimpleITK image of a volume (Z, Y, X); bool becomes uint8, float16 becomes float32."""
    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(volume.grid.spacing[::-1])
    image.SetOrigin(volume.grid.origin)
    image.SetDirection(volume.grid.direction)
    return image


def resample(volume: Volume, grid: Grid, *, labels: bool = False, outside: float = 0.0) -> Volume:
    """A volume (Z, Y, X) on another grid: trilinear in float32, or nearest neighbour in its own type for ``labels``.

    Voxels of ``grid`` outside the volume get ``outside`` (use AIR_HU for a CT). Where both grids match, the values are
    not changed.
    """
    if volume.grid.matches(grid):
        return Volume(volume.array, grid, volume.unit)
    image = to_itk(volume)
    filter_ = sitk.ResampleImageFilter()
    if not labels:
        filter_.SetOutputPixelType(sitk.sitkFloat32)
    filter_.SetSize(grid.shape[::-1])
    filter_.SetOutputSpacing(grid.spacing[::-1])
    filter_.SetOutputOrigin(grid.origin)
    filter_.SetOutputDirection(grid.direction)
    filter_.SetInterpolator(sitk.sitkNearestNeighbor if labels else sitk.sitkLinear)
    filter_.SetDefaultPixelValue(float(outside))
    array = sitk.GetArrayFromImage(filter_.Execute(image))
    return Volume(array.astype(volume.array.dtype, copy=False) if labels else array, grid, volume.unit)


def resample_part(volume: Volume, grid: Grid, *, labels: bool = False, outside: float = 0.0) -> Volume:
    """``resample`` that first crops the volume to ``grid``: for a small grid inside a large volume."""
    index = (grid.corners - volume.grid.affine[:3, 3]) @ np.linalg.inv(volume.grid.affine[:3, :3]).T
    low = np.floor(index.min(axis=0)[::-1]).astype(int) - 1
    high = np.ceil(index.max(axis=0)[::-1]).astype(int) + 2
    shape = volume.grid.shape
    start = tuple(int(np.clip(a, 0, n - 1)) for a, n in zip(low, shape))
    stop = tuple(int(np.clip(b, a + 1, n)) for b, a, n in zip(high, start, shape))
    return resample(volume.crop(Box(start, stop)), grid, labels=labels, outside=outside)  # type: ignore[arg-type]
