"""Maximum intensity projections of a case: input image, real PET, synthetic PET and error, from front and side."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ct2pet.dataset import Field, fields
from ct2pet.report.colours import ERROR, OF_KIND, PET, Window, colour_table
from ct2pet.resampling import resample, resample_part
from ct2pet.volume import Box, Grid, Volume

VIEWS = {"coronal": 1, "sagittal": 2}  # the axis along which one looks

_HOT_SUV = 0.5
_BODY = {fields.CT: -400.0, fields.PET: _HOT_SUV}  # exceeded by images of this kind in the body
_MARGIN_MM = 12.0
_PIXEL_MM = 2.0  # of the input image, and the smallest of a picture
_MOST_PIXELS = 640  # along the longer side of a picture


@dataclass(frozen=True)
class Projection:
    """One picture. ``image``: the numbers (rows from the head down, columns to the patient's left or back), each pixel
    ``pixel_mm`` (height, width) large; ``window``: its colours."""

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
    """Input image (in the unit of its ``field``, its own grid), real and synthetic PET (SUV, both on the real PET's
    grid, cut to the body), oriented."""

    image: Volume
    real: Volume
    fake: Volume
    field: Field


def image_title(field: Field) -> str:
    """The title of an input image in the report."""
    return field.name.replace("_", " ")


def align(image: Volume, real_pet: Volume, fake_pet: Volume, field: Field) -> AlignedCase:
    """The three images of a case, each on its own grid, resampled to the bounding box of the body in the real PET;
    ``image`` is of ``field``.

    The synthetic PET is 0 outside its grid.
    """
    real, oriented = real_pet.to_canonical(), image.to_canonical()
    fake = resample(fake_pet.to_canonical(), real.grid)
    coarse = resample(oriented, real.grid, outside=field.rules.outside).array
    body = (coarse > _BODY[field.kind]) | (real.array > _HOT_SUV) | (fake.array > _HOT_SUV)
    margin = tuple(round(_MARGIN_MM / size) for size in real.grid.spacing)
    box = (Box.around(body) or Box((0, 0, 0), real.grid.shape)).grown(margin, real.grid.shape)  # type: ignore[arg-type]
    return AlignedCase(oriented, _float(real.crop(box)), _float(fake.crop(box)), field)


def _float(volume: Volume) -> Volume:
    return volume.with_array(np.ascontiguousarray(volume.array, dtype=np.float32))


def largest(array: np.ndarray, axis: int) -> np.ndarray:
    """The largest value along each line of sight, head up: (Z, Y, X) to (Z, X) for axis 1, (Z, Y) for axis 2."""
    return array.max(axis=axis)[::-1]


def largest_error(error: np.ndarray, axis: int) -> np.ndarray:
    """As ``largest``, of the largest absolute error, with its sign."""
    high, low = error.max(axis=axis), error.min(axis=axis)
    return np.where(high >= -low, high, low)[::-1]


def projections(case: AlignedCase) -> Iterator[Projection]:
    """Input image, real PET, synthetic PET and error, each from the front (the patient's left on the right), then each
    from the left side (the front on the left)."""
    grid = case.real.grid
    error = case.fake.array - case.real.array
    for view, axis in VIEWS.items():
        pixel = _pixel(grid.spacing, axis)
        fine = _fine(grid, axis)
        image = resample_part(case.image, fine, outside=case.field.rules.outside).array
        title, window = image_title(case.field), OF_KIND[case.field.kind]
        yield Projection(title, view, largest(image, axis), _pixel(fine.spacing, axis), window)
        yield Projection("Real PET", view, largest(case.real.array, axis), pixel, PET)
        yield Projection("Synthetic PET", view, largest(case.fake.array, axis), pixel, PET)
        yield Projection("Synthetic − real", view, largest_error(error, axis), pixel, ERROR)


def _pixel(spacing: tuple[float, float, float], axis: int) -> tuple[float, float]:
    return spacing[0], spacing[3 - axis]


def _fine(grid: Grid, axis: int) -> Grid:
    """The grid with voxels small enough across the line of sight to show bones."""
    spacing = [min(size, _PIXEL_MM) for size in grid.spacing]
    spacing[axis] = grid.spacing[axis]
    return grid.with_spacing((spacing[0], spacing[1], spacing[2]))


def png(projection: Projection) -> bytes:
    """The picture with square pixels, its colours in a palette."""
    low, high = projection.window.limits
    codes = np.rint(np.clip((projection.image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    height_mm, width_mm = projection.size_mm
    pixel = max(_PIXEL_MM, max(height_mm, width_mm) / _MOST_PIXELS)
    size = max(1, round(width_mm / pixel)), max(1, round(height_mm / pixel))
    image = Image.fromarray(codes, "L").resize(size, Image.Resampling.BILINEAR)
    image.putpalette([value for colour in colour_table(projection.window.colours) for value in colour])
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
