"""The voxels of a series, slice by slice, each with its own rescale slope and intercept."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import UID

from ct2pet.dicom.jpeg2000 import match_sign
from ct2pet.dicom.reading import quiet, read_dataset
from ct2pet.dicom.series import Slice, Stack
from ct2pet.errors import ImageError
from ct2pet.resampling import AIR_HU
from ct2pet.volume import Volume

_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_LARGEST_HU = 3071.0  # of 12 bits: padding is not between air and this value
_DECODERS = {  # the plug-in of pydicom for a syntax that does not crash on damaged data
    "1.2.840.10008.1.2.4.50": "pillow",  # JPEG baseline
    "1.2.840.10008.1.2.4.51": "pillow",  # JPEG extended
    "1.2.840.10008.1.2.4.57": "gdcm",  # JPEG lossless
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "gdcm",  # JPEG-LS
    "1.2.840.10008.1.2.4.81": "gdcm",
    "1.2.840.10008.1.2.4.90": "pillow",  # JPEG 2000
    "1.2.840.10008.1.2.4.91": "pillow",
    "1.2.840.10008.1.2.5": "pydicom",  # RLE
}
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"


class _TooLarge(Exception):
    """A value does not fit into int16."""


def read_ct(stack: Stack) -> Volume:
    """The CT in HU (Z, Y, X): int16 where all values are whole numbers, else float32. Padding becomes -1024.

    Raises ImageError, naming the file, where pixels are missing, damaged, of an unsupported transfer syntax, or not
    finite.
    """
    whole = all(float(value).is_integer() for item in stack.slices for value in (item.slope, item.intercept))
    try:
        array = _read(stack, np.ones(len(stack.slices)), np.dtype(np.int16 if whole else np.float32), AIR_HU)
    except _TooLarge:
        array = _read(stack, np.ones(len(stack.slices)), np.dtype(np.float32), AIR_HU)
    return Volume(array, stack.grid, "HU")


def read_pet(stack: Stack, factors: np.ndarray) -> Volume:
    """The PET in SUV (Z, Y, X), float32: rescaled values times the ``factors`` (one a slice, in the stack's order).

    Padding becomes 0. Raises ImageError as read_ct does.
    """
    return Volume(_read(stack, np.asarray(factors, dtype=float), np.dtype(np.float32), 0.0), stack.grid, "SUV")


def _read(stack: Stack, factors: np.ndarray, dtype: np.dtype, padding: float) -> np.ndarray:
    array = np.empty(stack.grid.shape, dtype)
    indexed = sorted(enumerate(stack.slices), key=lambda pair: (str(pair[1].path), pair[1].frame or 0))
    for path, group in groupby(indexed, key=lambda pair: pair[1].path):
        members = list(group)
        for (index, item), (stored, padded) in zip(members, _stored(path, [item for _, item in members])):
            scale = np.array([item.slope, item.intercept]) * factors[index]
            if not np.isfinite(scale).all() or item.slope == 0:
                raise ImageError(f"{item.name}: its RescaleSlope {item.slope:g} or RescaleIntercept is invalid")
            if stored.shape != stack.grid.shape[1:]:
                raise ImageError(f"{item.name}: its pixels are not {' x '.join(map(str, item.shape))}")
            plane = stored * scale[0] + scale[1]
            if padded is not None:
                plane[padded] = padding
            _put(array, index, plane, item)
    return array


def _put(array: np.ndarray, index: int, plane: np.ndarray, item: Slice) -> None:
    low, high = float(plane.min()), float(plane.max())
    if not np.isfinite([low, high]).all():
        raise ImageError(f"{item.name}: its values are not finite")
    limits = np.iinfo(np.int16)
    if array.dtype == np.int16 and (low < limits.min or high > limits.max):
        raise _TooLarge
    array[index] = plane


def _stored(path: Path, slices: list[Slice]) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """The stored values of the frames of one file, one at a time, and a mask of its padding (None where there is
    none)."""
    try:
        dataset = read_dataset(path, pixels=True)
    except ImageError as error:
        raise ImageError(f"{slices[0].name}: {error}") from None
    decoder = _decoder(slices[0], dataset)
    with quiet():
        by_header = match_sign(dataset)
        indices = [item.frame for item in slices if item.frame is not None]
        frames = iter_pixels(dataset, indices=indices or None, raw=True, decoding_plugin=decoder)
        for item in slices:
            try:
                stored = next(frames)
            except MemoryError:
                raise
            except Exception as error:  # decoders raise various errors
                reason = "missing, truncated or damaged"
                raise ImageError(f"{item.name}: its pixels are {reason} ({type(error).__name__})") from None
            stored = by_header(stored)
            yield stored, _padding(dataset, stored, item)


def _decoder(item: Slice, dataset: Dataset) -> str:
    """The plug-in that decodes the file's pixels; empty for uncompressed ones."""
    syntax = UID(str(getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", "")))
    if not syntax or (syntax.is_transfer_syntax and not syntax.is_encapsulated):
        return ""
    if syntax not in _DECODERS or (syntax == _JPEG_EXTENDED and dataset.get("BitsStored", 0) > 8):
        name = syntax.name if syntax.is_transfer_syntax else "an unknown one"
        raise ImageError(f"{item.name}: its transfer syntax ({name}) is not supported; decompress it first")
    return _DECODERS[syntax]


def _padding(dataset: Dataset, stored: np.ndarray, item: Slice) -> np.ndarray | None:
    """The mask of pixels outside of the reconstruction. A padding value that is a plausible HU is ignored."""
    value = dataset.get(_PADDING[0])
    if value is None or not isinstance(value, int):
        return None
    limit = dataset.get(_PADDING[1], value)
    low, high = sorted(_as_stored(number, stored.dtype) for number in (value, limit))
    in_units = sorted((low * item.slope + item.intercept, high * item.slope + item.intercept))
    if dataset.Modality == "CT" and in_units[1] >= AIR_HU and in_units[0] <= _LARGEST_HU:
        return None
    return (stored >= low) & (stored <= high)


def _as_stored(value: int, dtype: np.dtype) -> int:
    """Padding written as unsigned for signed pixels, or vice versa, as by some scanners."""
    return int(np.array(value & ((1 << 8 * dtype.itemsize) - 1)).astype(f"u{dtype.itemsize}").astype(dtype))
