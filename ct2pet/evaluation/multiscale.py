"""Multi-scale structural similarity as the challenge SynthRAD2025 defines it, with PET's range.

Challenge: github.com/SynthRAD2025/metrics (Thummerer et al., "SynthRAD2025 Grand Challenge dataset", Med. Phys. 52
(2025) e17981). The scales and their weights: Wang et al., "Multiscale structural similarity for image quality
assessment", Asilomar Conf. Signals, Systems & Computers (2003) 1398.
"""

from __future__ import annotations

import numpy as np

from ct2pet.evaluation.metrics import DATA_RANGE_SUV
from ct2pet.evaluation.similarity import Window, similarities, tiles
from ct2pet.volume import Box

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from the finest scale to the coarsest
WINDOW = 7  # voxels along each axis, all of the same weight
_LEAST = 97  # voxels along each axis; smaller volumes grow by repeating their borders
_STEP = 2 ** (len(WEIGHTS) - 1)


def ms_ssim(fake: np.ndarray, real: np.ndarray, labels: np.ndarray) -> dict[int, float | None]:
    """MS-SSIM of each label (above 0) of an unsigned label map, and of all labels together under the key 0.

    Both PETs (SUV) are clipped to 0–20 and set to 0 outside the labels. On each of five scales the similarity (window
    of 7³ equal weights, sample variances, not below 0) is raised to the scale's weight and averaged over the label's
    voxels, those within 3 voxels of the volume's border left out; MS-SSIM is the product of these means. Scales halve
    by averaging 2³ voxels; labels keep every other voxel. None where a label has no voxel on one of the scales.
    """
    if min(real.shape) < _LEAST:
        fake, real, labels = (_grown(array) for array in (fake, real, labels))
    around = Box.around(labels > 0)
    if around is None:
        return {0: None}
    counts = np.bincount(labels[around.slices].ravel())
    found = {0: 1.0, **{int(label): 1.0 for label in np.flatnonzero(counts) if label}}
    box, shape = _aligned(around, labels.shape), labels.shape
    inside = labels[box.slices]
    fake, real = (_masked(array[box.slices], inside) for array in (fake, real))
    means: dict[int, float | None] = dict(found)
    for level, weight in enumerate(WEIGHTS):
        start = [first >> level for first in box.start]
        borders = _without_borders(inside.shape, start, [-(-length >> level) for length in shape])
        values = _means(fake, real, inside, borders, weight)
        means = {key: _product(mean, values.get(key)) for key, mean in means.items()}
        fake, real, inside = _halved(fake), _halved(real), inside[::2, ::2, ::2]
    return means


def _grown(array: np.ndarray) -> np.ndarray:
    missing = [max(0, _LEAST - length) for length in array.shape]
    return np.pad(array, [(number // 2, number - number // 2) for number in missing], mode="edge")


def _aligned(box: Box, shape: tuple[int, ...]) -> Box:
    """The box grown so that every scale keeps the same voxels as from the whole volume, and has 0 outside the
    labels."""
    start = tuple(first // _STEP * _STEP for first in box.start)
    stop = tuple(min(last + 2 * _STEP, length) for last, length in zip(box.stop, shape))
    return Box(start, stop)  # type: ignore[arg-type]


def _masked(pet: np.ndarray, labels: np.ndarray) -> np.ndarray:
    masked = np.clip(pet, 0, DATA_RANGE_SUV, dtype=np.float32)
    masked *= labels > 0
    return masked


def _without_borders(part: tuple[int, ...], start: list[int], whole: list[int]) -> tuple[slice, ...]:
    """Of a part of a volume, the voxels that are at least a window's radius away from the borders of the volume."""
    radius = WINDOW // 2
    low = [max(0, radius - first) for first in start]
    high = [min(length, total - radius - first) for length, first, total in zip(part, start, whole)]
    return tuple(slice(a, max(a, b)) for a, b in zip(low, high))


def _means(
    fake: np.ndarray, real: np.ndarray, labels: np.ndarray, borders: tuple[slice, ...], weight: float
) -> dict[int, float]:
    """The mean of similarity ** weight of each label, and of all under 0; without empty labels."""
    size = int(labels.max()) + 1
    sums, counts = np.zeros(size), np.zeros(size, dtype=int)
    window = Window(real.shape, np.full(WINDOW, 1 / WINDOW), reflect=False)
    wanted = (tile for tile in tiles(real.shape) if labels[tile].any())
    for tile, values in similarities(fake, real, window, wanted, WINDOW**3 / (WINDOW**3 - 1)):
        part = tuple(_overlap(*pair) for pair in zip(tile, borders))
        place = (*part, borders[2])
        own = (*(slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, tile)), borders[2])
        where = labels[place]
        inside = where > 0
        kept = values[own][inside]
        powers = np.power(np.maximum(kept, 0), np.float32(weight))
        sums += np.bincount(where[inside], weights=powers, minlength=size)
        counts += np.bincount(where[inside], minlength=size)
    found = {label: sums[label] / counts[label] for label in range(1, size) if counts[label]}
    return {**found, 0: sums.sum() / counts.sum()} if found else {}


def _overlap(one: slice, other: slice) -> slice:
    start = max(one.start, other.start)
    return slice(start, max(start, min(one.stop, other.stop)))


def _product(mean: float | None, factor: float | None) -> float | None:
    return None if mean is None or factor is None else float(mean * factor)


def _halved(array: np.ndarray) -> np.ndarray:
    """Means of the voxels 2k - 1 and 2k along each axis, with 0 before the first voxel."""
    for axis in range(3):
        array = np.moveaxis(array, axis, 0)
        half = array[::2].copy()
        half[1:] += array[1:-1:2] if array.shape[0] % 2 else array[1:-2:2]
        half *= np.float32(0.5)
        array = np.moveaxis(half, 0, axis)
    return np.ascontiguousarray(array)
