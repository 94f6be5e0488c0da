"""Structural similarity in 3D, tile by tile: arrays (Z, Y, X) in SUV (g/ml) on one grid.

Wang et al., IEEE Trans. Image Process. 13 (2004) 600: K1 = 0.01, K2 = 0.03, a fixed range of 20 SUV.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import numpy as np
from scipy.linalg import toeplitz
from threadpoolctl import threadpool_limits

from ct2pet.evaluation.metrics import DATA_RANGE_SUV

SSIM_SIGMA = 1.5
SSIM_WINDOW = 11  # voxels, along each axis
_C1, _C2 = (0.01 * DATA_RANGE_SUV) ** 2, (0.03 * DATA_RANGE_SUV) ** 2
_DEPTH, _ROWS, _COLUMNS = 16, 24, 24  # of a tile, and of the parts of its product along X: all data fit into the cache
_THREADS = 2

Tile = tuple[slice, slice]  # slices and rows; all columns


def one_blas_thread() -> AbstractContextManager:
    """A context for the computations of this module, entered once per process: BLAS threads do not help with such small
    products, and on a busy machine they wait for each other (measured: 9 times as long)."""
    return threadpool_limits(1, user_api="blas")


def ssim_map(fake: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of every voxel, float32 (Z, Y, X): Gaussian window of sigma 1.5 voxels and 11³ voxels,
    reflected at the borders. The same numbers as scikit-image's ``structural_similarity(..., data_range=20,
    gaussian_weights=True, use_sample_covariance=False, full=True)``.
    """
    window = Window(real.shape, gaussian_weights(), reflect=True)
    result = np.empty(real.shape, np.float32)

    every = list(tiles(real.shape))

    def fill(first: int) -> None:
        for tile, values in similarities(fake, real, window, every[first::_THREADS]):
            result[tile] = values

    with ThreadPoolExecutor(_THREADS) as pool:  # numpy and BLAS release the interpreter's lock
        list(pool.map(fill, range(_THREADS)))
    return result


def gaussian_weights(sigma: float = SSIM_SIGMA, size: int = SSIM_WINDOW) -> np.ndarray:
    """A Gaussian along one axis, of sum 1."""
    weights = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
    return weights / weights.sum()


class Window:
    """A separable window over volumes of one shape. Along each axis it is a product with a banded matrix, which BLAS
    does several times faster than a filter. Outside the borders the volume is reflected, or 0."""

    def __init__(self, shape: Sequence[int], weights: np.ndarray, *, reflect: bool) -> None:
        self.radius = len(weights) // 2
        self.matrices = [_banded(length, weights, reflect) for length in shape]

    def around(self, part: slice, axis: int) -> slice:
        """The input range for the means of a ``part`` of an axis."""
        return slice(max(0, part.start - self.radius), min(len(self.matrices[axis]), part.stop + self.radius))

    def means(self, image: np.ndarray, tile: Tile) -> np.ndarray:
        """The weighted means (float32) of a ``tile`` of a volume; ``image``: the region ``around`` the tile."""
        if not image.any():  # air
            return np.zeros((*(part.stop - part.start for part in tile), image.shape[2]), np.float32)
        along_z, along_y = (self.matrices[axis][part, self.around(part, axis)] for axis, part in enumerate(tile))
        means = (along_z @ image.reshape(image.shape[0], -1)).reshape(-1, *image.shape[1:])
        means = np.matmul(along_y, means)
        result = np.empty_like(means)
        for first in range(0, means.shape[2], _COLUMNS):
            columns = slice(first, min(first + _COLUMNS, means.shape[2]))
            around = self.around(columns, 2)
            np.matmul(means[:, :, around], self.matrices[2][columns, around].T, out=result[:, :, columns])
        return result


def _banded(length: int, weights: np.ndarray, reflect: bool) -> np.ndarray:
    radius = len(weights) // 2
    column = np.zeros(length)
    column[: radius + 1] = weights[radius:][:length]
    matrix = toeplitz(column)
    if reflect:
        for row in range(length):
            for offset in range(-radius, radius + 1):
                if not 0 <= row + offset < length:
                    mirrored = (row + offset) % (2 * length)
                    matrix[row, min(mirrored, 2 * length - 1 - mirrored)] += weights[radius + offset]
    return matrix.astype(np.float32)


def tiles(shape: Sequence[int]) -> Iterator[Tile]:
    """Tiles of a whole volume, of an efficient size."""
    for z in range(0, shape[0], _DEPTH):
        for y in range(0, shape[1], _ROWS):
            yield slice(z, min(z + _DEPTH, shape[0])), slice(y, min(y + _ROWS, shape[1]))


def similarities(
    fake: np.ndarray, real: np.ndarray, window: Window, wanted: Iterable[Tile], covariance_factor: float = 1.0
) -> Iterator[tuple[Tile, np.ndarray]]:
    """The structural similarity in the ``wanted`` tiles of two volumes, with the window's weights.

    Written with the difference d of both images: (1 - m(d)² / (m(x)² + m(y)² + C1)) (1 - v(d) / (v(x) + v(y) + C2)),
    equivalent to the usual formula, but accurate in float32 in flat hot regions: variances as differences of squares
    cancel there, those of small differences do not. ``covariance_factor`` multiplies all variances.
    """
    # One loop for all tiles, so that memory of arrays is reused for the next tile.
    for tile in wanted:
        around = tuple(window.around(part, axis) for axis, part in enumerate(tile))
        x, y = fake[around], real[around].copy()
        difference = x - y
        if not difference.any():
            yield tile, np.ones((*(part.stop - part.start for part in tile), real.shape[2]), np.float32)
            continue
        square = y * y
        squares = x * x
        squares += square
        np.multiply(difference, difference, out=square)
        *means, mean_square = [window.means(image, tile) for image in (y, difference, squares, square)]
        _combine(means, mean_square, np.float32(covariance_factor))
        yield tile, mean_square


def _combine(means: Sequence[np.ndarray], result: np.ndarray, factor: np.float32) -> None:
    """From window ``means`` of the real image, the difference and the sum of both squares, and (in ``result``) of the
    square of the difference: the similarity, into ``result``. The other arrays are overwritten."""
    real, difference, squares = means
    both = (real + difference) ** 2
    both += real * real
    squares -= both  # now the variances of both images
    difference *= difference
    result -= difference  # now the variance of the difference
    for variance in (squares, result):
        np.maximum(variance, 0, out=variance)
        variance *= factor
    squares += np.float32(_C2)
    result /= squares
    both += np.float32(_C1)
    difference /= both
    np.subtract(1, result, out=result)
    np.subtract(1, difference, out=difference)
    result *= difference
