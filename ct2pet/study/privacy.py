"""Whether a generator copies training images: distances to the nearest ones, against those of real test images.

After van den Burg and Williams, NeurIPS 2021 ("On memorization in probabilistic deep generative models"): what matters
is not how near a synthetic image is to a training image, but whether it is nearer than new real images are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ct2pet.study.slices import Slices, to_network

_PERCENTILE = 1.0
_ROWS = 64


@dataclass(frozen=True)
class Pair:
    """A synthetic image, the training image nearest to it (both by their index), and their distance."""

    synthetic: int
    training: int
    distance: float


@dataclass(frozen=True)
class PrivacyReport:
    """Distances are root mean square differences in log(1 + SUV), or in HU / 700.

    ``threshold``: the first percentile of the distances of real test images. ``share_below``: of the synthetic images
    (1% is what as many new real images would give). ``closest``: the nearest pairs, nearest first.
    """

    threshold: float
    share_below: float
    median_synthetic: float
    median_real: float
    closest: tuple[Pair, ...]


def privacy_report(synthetic: Slices, training: Slices, real_test: Slices, *, pairs: int = 8) -> PrivacyReport:
    """How near synthetic images come to the images that their generator was trained on."""
    distances, nearest = nearest_distances(synthetic, training)
    real, _ = nearest_distances(real_test, training)
    threshold = float(np.percentile(real, _PERCENTILE))
    order = np.argsort(distances, kind="stable")[:pairs]
    return PrivacyReport(
        threshold,
        float((distances < threshold).mean()),
        float(np.median(distances)),
        float(np.median(real)),
        tuple(Pair(int(i), int(nearest[i]), float(distances[i])) for i in order),
    )


def nearest_distances(
    images: Slices, training: Slices, *, other_patients: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The distance (N,) from each image to the nearest training image or its mirror images, and that one's index (N,).

    Both are averaged over 2 x 2 pixels first, so that noise and shifts of a pixel do not hide a copy.
    ``other_patients``: training images of the image's own patient are left out.
    """
    queries, references = _flat(images), [_flat(training, axes) for axes in ((), (2,), (3,), (2, 3))]
    distances, nearest = np.empty(len(images)), np.empty(len(images), dtype=np.int64)
    for first in range(0, len(images), _ROWS):
        part = slice(first, first + _ROWS)
        squares = np.min([_squared_distances(queries[part], reference) for reference in references], axis=0)
        if other_patients:
            squares[images.patients[part][:, None] == training.patients[None, :]] = np.inf
        nearest[part] = squares.argmin(axis=1)
        distances[part] = np.sqrt(squares.min(axis=1) / queries.shape[1])
    return distances, nearest


def _flat(slices: Slices, mirrored: tuple[int, ...] = ()) -> np.ndarray:
    """float64 (N, values): 2 x 2 means; an odd last row or column is left out."""
    images = to_network(slices.images, slices.channels)
    height, width = (n // 2 * 2 for n in images.shape[2:])
    images = np.flip(images, mirrored)[:, :, :height, :width]
    means = images.reshape(*images.shape[:2], height // 2, 2, width // 2, 2).mean(axis=(3, 5), dtype=np.float64)
    return means.reshape(len(images), -1)


def _squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None, :] - 2 * first @ second.T
    return np.clip(squares, 0, None)
