"""Sheets of slices as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

_COLUMNS, _ROWS, _GAP, _LEAST_PIXELS = 6, 4, 6, 64


def sheet(sets: Sequence[np.ndarray], limits: tuple[float, float]) -> bytes:
    """Sets of slices (N, Y, X) side by side, the first 24 of each; grey from the lower to the upper of ``limits``."""
    blocks = [_block(images[: _COLUMNS * _ROWS], _COLUMNS, limits) for images in sets]
    height = max(len(block) for block in blocks)
    padded = [np.pad(block, ((0, height - len(block)), (0, _GAP)), constant_values=128) for block in blocks]
    return _png(np.concatenate(padded, axis=1)[:, :-_GAP])


def pair_sheet(first: np.ndarray, second: np.ndarray, limits: tuple[float, float]) -> bytes:
    """Two sets of equally many slices (N, Y, X) as two rows."""
    rows = [_block(images, len(images), limits) for images in (first, second)]
    return _png(np.concatenate(rows))


def _block(images: np.ndarray, columns: int, limits: tuple[float, float]) -> np.ndarray:
    """Slices in rows of ``columns``, each enlarged by a whole number to 64 pixels at least."""
    low, high = limits
    grey = np.round(255 * np.clip((images - low) / (high - low), 0, 1)).astype(np.uint8)
    number, height, width = grey.shape
    rows = -(-number // columns)
    filled = np.zeros((rows * columns, height, width), np.uint8)
    filled[:number] = grey
    block = filled.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    factor = max(1, -(-_LEAST_PIXELS // height))
    return block.repeat(factor, axis=0).repeat(factor, axis=1)


def _png(grey: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return buffer.getvalue()
