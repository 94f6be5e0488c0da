"""The volumes of a case in a compact form for the page: coarse voxels, 8 bits each, compressed."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ct2pet.dataset import fields
from ct2pet.report.projections import AlignedCase
from ct2pet.report.region_maps import RegionMap
from ct2pet.resampling import resample_part, to_itk
from ct2pet.volume import Box, Grid, Triple, Volume

MOST_BYTES = 1_700_000  # of a case, compressed; in the page a third more
FINEST_MM = 2.0
_USUAL_BYTES_PER_VOXEL = 0.4  # of a CT and both PETs together, compressed; a first guess that is measured then
_COARSER = 1.08


@dataclass(frozen=True)
class Scale:
    """The values of the codes 0 to 255: ``values`` at the codes ``codes``, linear between, clipped outside."""

    values: tuple[float, ...]
    codes: tuple[int, ...]

    def encode(self, array: np.ndarray) -> np.ndarray:
        """The nearest code of each value, uint8."""
        return np.rint(np.interp(array, self.values, self.codes)).astype(np.uint8)

    def table(self) -> list[float]:
        """The value of each of the 256 codes."""
        return [round(float(value), 4) for value in np.interp(range(256), self.codes, self.values)]


CT_SCALE = Scale((-950.0, -200.0, 300.0, 2000.0), (0, 57, 182, 255))  # 4 HU in soft tissue, 13 in lung, 23 in bone
PET_SCALE = Scale((0.0, 5.0, 50.0), (0, 160, 255))  # 0.03 SUV up to 5 SUV, 0.5 SUV above; noise in air becomes 0

SCALES = {fields.CT: CT_SCALE, fields.PET: PET_SCALE}  # of an input image, by its kind


@dataclass(frozen=True)
class ViewerVolumes:
    """Input image, real and synthetic PET, one after another as codes (Z, Y, X), and optionally the codes of the
    regions (see ``region_maps``), gzipped. All voxels are cubes of ``voxel_mm``; ``shape`` is that of one volume.
    ``lesions``: the voxel (Z, Y, X) of each lesion."""

    shape: tuple[int, int, int]
    voxel_mm: float
    data: bytes
    districts: tuple[str, ...] = ()
    lesions: tuple[tuple[int, int, int], ...] = ()


def viewer_volumes(case: AlignedCase, most_bytes: int = MOST_BYTES, regions: RegionMap | None = None) -> ViewerVolumes:
    """The case with the smallest voxels (no smaller than the images' own, and at least 2 mm) whose compressed codes
    take at most ``most_bytes``. Each try enlarges the voxels by the excess of the last one.
    """
    extent = np.multiply(case.real.grid.shape, case.real.grid.spacing)
    finest = max(FINEST_MM, min(*case.image.grid.spacing, *case.real.grid.spacing))
    voxel = max(finest, float(np.prod(extent) * _USUAL_BYTES_PER_VOXEL / most_bytes) ** (1 / 3))
    while True:
        grid = case.real.grid.with_spacing((voxel, voxel, voxel))
        data = gzip.compress(_codes(case, grid, regions).tobytes(), compresslevel=6, mtime=0)
        if len(data) <= most_bytes or max(grid.shape) <= 1:
            found = regions or RegionMap(case.real)
            lesions = tuple(_voxel(place, grid) for place in found.lesions)
            return ViewerVolumes(grid.shape, voxel, data, found.districts, lesions)
        voxel *= max(_COARSER, (len(data) / most_bytes) ** (1 / 3))


def _voxel(place: Triple, grid: Grid) -> tuple[int, int, int]:
    """The voxel (Z, Y, X) of a grid that is nearest to a position (LPS, mm)."""
    index = np.rint(np.linalg.solve(grid.affine, [*place, 1.0])[:3]).astype(int)[::-1]
    z, y, x = np.clip(index, 0, np.array(grid.shape) - 1).tolist()
    return z, y, x


def _codes(case: AlignedCase, grid: Grid, regions: RegionMap | None = None) -> np.ndarray:
    """(3 or, with regions, 4, Z, Y, X) uint8 on ``grid``."""
    field = case.field
    image = resample_part(_averaged(case.image, grid.spacing[0]), grid, outside=field.rules.outside).array
    pets = [resample_part(pet, grid).array for pet in (case.real, case.fake)]
    maps = [] if regions is None else [resample_part(regions.codes, grid, labels=True).array]
    return np.stack([SCALES[field.kind].encode(image), *map(PET_SCALE.encode, pets), *maps])


def _averaged(volume: Volume, spacing: float) -> Volume:
    """The means of blocks of whole voxels, no larger than ``spacing`` (mm): sampling single voxels would increase
    noise."""
    factors = [max(1, min(int(spacing / size), n)) for size, n in zip(volume.grid.spacing, volume.grid.shape)]
    if max(factors) == 1:
        return volume
    stop = [n // factor * factor for n, factor in zip(volume.grid.shape, factors)]
    whole = volume.crop(Box((0, 0, 0), tuple(stop)))  # type: ignore[arg-type]
    array = sitk.GetArrayFromImage(sitk.BinShrink(to_itk(whole), factors[::-1]))
    larger = tuple(size * factor for size, factor in zip(whole.grid.spacing, factors))
    return Volume(array, whole.grid.with_spacing(larger), volume.unit)  # type: ignore[arg-type]
