"""Structural similarity in 3D, slab by slab: arrays (Z, Y, X) in SUV (g/ml) on one grid.

Wang et al., IEEE Trans. Image Process. 13 (2004) 600: K1 = 0.01, K2 = 0.03, a fixed range of 20 SUV.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg import toeplitz

from ct2pet.evaluation.metrics import DATA_RANGE_SUV

SSIM_SIGMA = 1.5
SSIM_WINDOW = 11  # voxels, along each axis
_C1, _C2 = (0.01 * DATA_RANGE_SUV) ** 2, (0.03 * DATA_RANGE_SUV) ** 2
_SLAB = 16
_BLOCK = 48  # rows of a banded matrix that are multiplied at once


def ssim_map(fake: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Structural similarity of every voxel, float32 (Z, Y, X): Gaussian window of sigma 1.5 voxels and 11³ voxels,
    reflected at the borders. The same numbers as scikit-image's ``structural_similarity(..., data_range=20,
    gaussian_weights=True, use_sample_covariance=False, full=True)``.
    """
    window = Window(real.shape, gaussian_weights(), reflect=True)
    result = np.empty(real.shape, np.float32)
    for slab, values in similarity_slabs(fake, real, window):
        result[slab] = values
    return result


def gaussian_weights(sigma: float = SSIM_SIGMA, size: int = SSIM_WINDOW) -> np.ndarray:
    """A Gaussian along one axis, of sum 1."""
    weights = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
    return weights / weights.sum()


class Window:
    """A separable window over volumes of one shape. Along each axis it is a product with a banded matrix, which BLAS
    does several times faster than a filter. Beyond the borders lies the reflected volume, or 0."""

    def __init__(self, shape: Sequence[int], weights: np.ndarray, *, reflect: bool) -> None:
        self.radius = len(weights) // 2
        self.matrices = [_banded(length, weights, reflect) for length in shape]

    def means(self, slab: np.ndarray, first: int, low: int, high: int) -> np.ndarray:
        """The weighted means (float32) of the slices ``low`` to ``high`` of a volume of which ``slab`` holds the slices
        from ``first`` on, at least ``radius`` more on both sides."""
        if not slab.any():  # air
            return np.zeros((high - low, *slab.shape[1:]), np.float32)
        along_z = self.matrices[0][low:high, first : first + slab.shape[0]]
        part = (along_z @ slab.reshape(slab.shape[0], -1)).reshape(high - low, *slab.shape[1:])
        result = np.empty_like(part)
        for rows, columns in self._blocks(part.shape[1]):
            np.matmul(self.matrices[1][rows, columns], part[:, columns], out=result[:, rows])
        part = np.empty_like(result)
        for rows, columns in self._blocks(part.shape[2]):
            part[:, :, rows] = result[:, :, columns] @ self.matrices[2][rows, columns].T
        return part

    def _blocks(self, length: int) -> Iterator[tuple[slice, slice]]:
        """Rows of a matrix, and the columns in which they are not 0."""
        for start in range(0, length, _BLOCK):
            stop = min(start + _BLOCK, length)
            yield slice(start, stop), slice(max(0, start - self.radius), min(length, stop + self.radius))


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


def similarity_slabs(
    fake: np.ndarray, real: np.ndarray, window: Window, covariance_factor: float = 1.0
) -> Iterator[tuple[slice, np.ndarray]]:
    """The structural similarity in slabs along Z, with the window's weights.

    Written with the difference d of both images: (1 - m(d)² / (m(x)² + m(y)² + C1)) (1 - v(d) / (v(x) + v(y) + C2)),
    which is the usual formula in other words, holds in float32 where a hot region is flat: variances by difference of
    squares cancel there, but those of small differences do not. ``covariance_factor`` multiplies all variances.
    """
    depth = real.shape[0]
    for low in range(0, depth, _SLAB):
        high = min(low + _SLAB, depth)
        first = max(0, low - window.radius)
        around = slice(first, min(depth, high + window.radius))
        yield slice(low, high), _similarity(fake[around], real[around], window, (first, low, high), covariance_factor)


def _similarity(
    fake: np.ndarray, real: np.ndarray, window: Window, place: tuple[int, int, int], covariance_factor: float
) -> np.ndarray:
    difference = fake - real
    if not difference.any():
        return np.ones((place[2] - place[1], *real.shape[1:]), np.float32)
    squares = np.empty_like(difference)
    for index in range(len(squares)):  # a slice fits the processor's cache
        squares[index] = fake[index] * fake[index] + real[index] * real[index]
    means = [window.means(array, *place) for array in (real, difference, squares)]
    mean_square = window.means(np.multiply(difference, difference, out=squares), *place)
    for *parts, square in zip(*means, mean_square):
        _combine(parts, square, np.float32(covariance_factor))
    return mean_square


def _combine(means: Sequence[np.ndarray], result: np.ndarray, factor: np.float32) -> None:
    """From window ``means`` of the real image, the difference and the sum of both squares, and (in ``result``) of the
    square of the difference: the similarity, into ``result``. The other arrays are used up."""
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
