"""Whether a generator copies training images: distances to the nearest ones, against those of real test images.

After van den Burg and Williams, NeurIPS 2021 ("On memorization in probabilistic deep generative models"): what matters
is not how near a synthetic image is to a training image, but whether it is nearer than new real images are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from ct2pet.study.slices import Slices, to_network

_PERCENTILE = 1.0


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
    """The distance (N,) from each image to the nearest training image, and that one's index (N,).

    Training images are compared as they are, mirrored, and shifted by a pixel; all are averaged over 2 x 2 pixels
    first, so that neither these changes nor noise hide a copy. ``other_patients``: training images of the image's own
    patient are left out.
    """
    queries, best = _flat(to_network(images.images, images.channels)), np.full((len(images), len(training)), np.inf)
    for reference in _variants(to_network(training.images, training.channels)):
        np.minimum(best, cdist(queries, _flat(reference), "sqeuclidean"), out=best)
    if other_patients:
        best[images.patients[:, None] == training.patients[None, :]] = np.inf
    return np.sqrt(best.min(axis=1) / queries.shape[1]), best.argmin(axis=1)


def _variants(images: np.ndarray) -> Iterator[np.ndarray]:
    for mirrored in ((), (2,), (3,), (2, 3)):
        for shift in itertools.product((-1, 0, 1), repeat=2):
            yield np.roll(np.flip(images, mirrored), shift, axis=(2, 3))


def _flat(images: np.ndarray) -> np.ndarray:
    """float64 (N, values): 2 x 2 means; an odd last row or column is left out."""
    height, width = (n // 2 * 2 for n in images.shape[2:])
    parts = images[:, :, :height, :width].reshape(*images.shape[:2], height // 2, 2, width // 2, 2)
    return parts.mean(axis=(3, 5), dtype=np.float64).reshape(len(images), -1)
