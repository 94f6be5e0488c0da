"""JPEG 2000 images whose codestream and header disagree about the sign of the values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import get_j2k_parameters
from pydicom.uid import JPEG2000TransferSyntaxes

_DEPEND_ON_SIGN = ("PixelPaddingValue", "PixelPaddingRangeLimit")


def match_sign(dataset: Dataset) -> Callable[[np.ndarray], np.ndarray]:
    """A function from decoded values to those of the header; in most objects it does nothing.

    Some systems compress signed values as unsigned ones, or the other way. Then the lowest Bits Stored (0028,0101) bits
    count, with the sign of Pixel Representation (0028,0103), as in GDCM and so in ITK. The data set is changed to the
    codestream's sign, which the decoder needs: call this before the values are decoded.
    """
    signed = bool(dataset.get("PixelRepresentation", 0))
    if _codestream_is_signed(dataset) in (None, signed):
        return lambda stored: stored
    bits = int(dataset.get("BitsStored", 16))
    for keyword in _DEPEND_ON_SIGN:
        dataset.get(keyword)  # pydicom decodes them at their first use, with the sign in the data set
    dataset.PixelRepresentation = int(not signed)

    def reinterpret(stored: np.ndarray) -> np.ndarray:
        low = stored.astype(np.int64) & ((1 << bits) - 1)
        values = np.where(low >> (bits - 1), low - (1 << bits), low) if signed else low
        return values.astype(f"{'i' if signed else 'u'}{stored.dtype.itemsize}")

    return reinterpret


def _codestream_is_signed(dataset: Dataset) -> bool | None:
    """None for other encodings than JPEG 2000, and for an unreadable codestream, which is reported when it is
    decoded."""
    syntax = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID", "")
    if syntax not in JPEG2000TransferSyntaxes or "PixelData" not in dataset:
        return None
    try:
        frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1))
        return get_j2k_parameters(next(frames)).get("is_signed")
    except Exception:  # damaged files raise various errors
        return None
