"""Maximum intensity projections of a case: CT, real PET, synthetic PET and the error, from the front and the side."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ct2pet.report.colours import CT, ERROR, PET, Window, colour_table
from ct2pet.resampling import AIR_HU, resample, resample_part
from ct2pet.volume import Box, Grid, Volume

VIEWS = {"coronal": 1, "sagittal": 2}  # the axis along which one looks
BODY_HU = -400.0

_HOT_SUV = 0.5
_MARGIN_MM = 12.0
_CT_PIXEL_MM = 2.0
_MOST_PIXELS = 640  # along the longer side of a picture


@dataclass(frozen=True)
class Projection:
    """One picture. ``image``: the numbers (rows from the head down, columns to the patient's left or back), each pixel
    ``pixel_mm`` (height, width) large; ``window`` says how to show them."""

    title: str
    view: str
    image: np.ndarray
    pixel_mm: tuple[float, float]
    window: Window

    @property
    def size_mm(self) -> tuple[float, float]:
        return self.image.shape[0] * self.pixel_mm[0], self.image.shape[1] * self.pixel_mm[1]


@dataclass(frozen=True)
class AlignedCase:
    """CT (HU, its own grid), real and synthetic PET (SUV, both on the real PET's grid, cut to the body), oriented."""

    ct: Volume
    real: Volume
    fake: Volume


def align(ct_hu: Volume, real_pet: Volume, fake_pet: Volume) -> AlignedCase:
    """The three images of a case, each on a grid of its own, brought together on what the body fills of the real PET.

    The synthetic PET counts as 0 where it does not reach.
    """
    real, ct = real_pet.to_canonical(), ct_hu.to_canonical()
    fake = resample(fake_pet.to_canonical(), real.grid)
    coarse = resample(ct, real.grid, outside=AIR_HU).array
    body = (coarse > BODY_HU) | (real.array > _HOT_SUV) | (fake.array > _HOT_SUV)
    margin = tuple(round(_MARGIN_MM / size) for size in real.grid.spacing)
    box = (Box.around(body) or Box((0, 0, 0), real.grid.shape)).grown(margin, real.grid.shape)  # type: ignore[arg-type]
    return AlignedCase(ct, _float(real.crop(box)), _float(fake.crop(box)))


def _float(volume: Volume) -> Volume:
    return volume.with_array(np.ascontiguousarray(volume.array, dtype=np.float32))


def largest(array: np.ndarray, axis: int) -> np.ndarray:
    """The largest value along each line of sight, head up: (Z, Y, X) to (Z, X) for axis 1, (Z, Y) for axis 2."""
    return array.max(axis=axis)[::-1]


def largest_error(error: np.ndarray, axis: int) -> np.ndarray:
    """As ``largest``, of the error that is largest in size, with its sign."""
    high, low = error.max(axis=axis), error.min(axis=axis)
    return np.where(high >= -low, high, low)[::-1]


def projections(case: AlignedCase) -> Iterator[Projection]:
    """CT, real PET, synthetic PET and error, each from the front (the patient's left on the right), then each from the
    left side (the front on the left)."""
    grid = case.real.grid
    error = case.fake.array - case.real.array
    for view, axis in VIEWS.items():
        pixel = _pixel(grid.spacing, axis)
        fine = _fine(grid, axis)
        ct = resample_part(case.ct, fine, outside=AIR_HU).array
        yield Projection("CT", view, largest(ct, axis), _pixel(fine.spacing, axis), CT)
        yield Projection("Real PET", view, largest(case.real.array, axis), pixel, PET)
        yield Projection("Synthetic PET", view, largest(case.fake.array, axis), pixel, PET)
        yield Projection("Synthetic − real", view, largest_error(error, axis), pixel, ERROR)


def _pixel(spacing: tuple[float, float, float], axis: int) -> tuple[float, float]:
    return spacing[0], spacing[3 - axis]


def _fine(grid: Grid, axis: int) -> Grid:
    """The grid with voxels small enough across the line of sight for bones to be seen."""
    spacing = [min(size, _CT_PIXEL_MM) for size in grid.spacing]
    spacing[axis] = grid.spacing[axis]
    return grid.with_spacing((spacing[0], spacing[1], spacing[2]))


def png(projection: Projection) -> bytes:
    """The picture with square pixels, its colours in a palette."""
    low, high = projection.window.limits
    codes = np.rint(np.clip((projection.image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    height_mm, width_mm = projection.size_mm
    pixel = max(_CT_PIXEL_MM, max(height_mm, width_mm) / _MOST_PIXELS)
    size = max(1, round(width_mm / pixel)), max(1, round(height_mm / pixel))
    image = Image.fromarray(codes, "L").resize(size, Image.Resampling.BILINEAR)
    image.putpalette([value for colour in colour_table(projection.window.colours) for value in colour])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
