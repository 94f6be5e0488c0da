"""Features of the voxels of a CT at several scales, for classifiers of voxels.

Smoothed CT numbers, eigenvalues of the Hessian (blobs, tubes and sheets differ in them: Frangi AF et al., MICCAI 1998),
local deviation, the tissues around, the difference with the other side of the body, and the place in the district.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

_SOFT_HU, _WIDE_UNIT_HU = (-150.0, 250.0), 400.0
_SMOOTH, _SMOOTH_WIDE, _HESSIAN, _HESSIAN_WIDE = (
    (0.8, 1.2, 1.8, 2.8, 4.5, 7),
    (1.2, 2.8, 5),
    (0.8, 1.2, 1.8, 2.8, 4),
    (1, 2),
)
_DEVIATION, _TISSUE, _SIDES = (1.2, 2.5), (1.8, 5), (1.2, 2.8)
_TISSUES_HU = ((-2000, -400), (-150, -60), (0, 90), (150, 4000))  # gas and lung, fat, soft tissue, bone
_BODY_HU = -300.0


def voxel_features(hu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 (voxels of the mask, features) of a CT ``hu`` (Z, Y, X) around a ``mask`` (bool); scales are voxels."""
    soft = np.clip(hu, *_SOFT_HU).astype(np.float32) / 100
    wide = (hu / _WIDE_UNIT_HU).astype(np.float32)
    parts = (*_levels(soft, wide), *_deviations(soft), *_tissues(hu), *_sides(soft, mask), *_place(hu, mask))
    columns = [part[mask] for part in parts]
    for image, scales in ((soft, _HESSIAN), (wide, _HESSIAN_WIDE)):
        columns += [column for scale in scales for column in _eigenvalues(image, mask, scale).T]
    return np.stack(columns, axis=1, dtype=np.float32)


def _smooth(image: np.ndarray, scale: float, order: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    return gaussian_filter(image, scale, order=order, mode="nearest", truncate=3)


def _levels(soft: np.ndarray, wide: np.ndarray) -> Iterator[np.ndarray]:
    yield from (soft, wide)
    yield from (_smooth(soft, scale) for scale in _SMOOTH)
    yield from (_smooth(wide, scale) for scale in _SMOOTH_WIDE)


def _deviations(soft: np.ndarray) -> Iterator[np.ndarray]:
    for scale in _DEVIATION:
        yield np.sqrt(np.maximum(_smooth(soft**2, scale) - _smooth(soft, scale) ** 2, 0))


def _tissues(hu: np.ndarray) -> Iterator[np.ndarray]:
    """The share of each tissue around."""
    for low, high in _TISSUES_HU:
        inside = ((hu > low) & (hu < high)).astype(np.float32)
        yield from (_smooth(inside, scale) for scale in _TISSUE)


def _sides(soft: np.ndarray, mask: np.ndarray) -> Iterator[np.ndarray]:
    """The difference with the other side of the body."""
    first, last = _ends(mask, 2)
    mirrored = np.clip(first + last - np.arange(soft.shape[2]), 0, soft.shape[2] - 1)
    for scale in _SIDES:
        smooth = _smooth(soft, scale)
        yield smooth - smooth[..., mirrored]


def _place(hu: np.ndarray, mask: np.ndarray) -> Iterator[np.ndarray]:
    """Height in the district, distance from the front and from the middle, and depth below the skin or the lung."""
    z, y, x = np.indices(mask.shape, dtype=np.float32, sparse=True)
    (bottom, top), (front, _), (right, left) = (_ends(mask, axis) for axis in range(3))
    yield np.broadcast_to((z - bottom) / max(1, top - bottom), mask.shape)
    yield np.broadcast_to(np.abs(x - (right + left) / 2), mask.shape)
    yield np.broadcast_to(y - front, mask.shape)
    body = np.pad(hu > _BODY_HU, 1) & np.pad(mask, 1, mode="edge")
    yield distance_transform_edt(body)[1:-1, 1:-1, 1:-1]


def _ends(mask: np.ndarray, axis: int) -> tuple[int, int]:
    """The first and the last position along an axis."""
    places = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
    return int(places[0]), int(places[-1])


def _eigenvalues(image: np.ndarray, mask: np.ndarray, scale: float) -> np.ndarray:
    """(voxels of the mask, 3): those of the Hessian in ascending order, times the square of the scale."""
    hessian = np.empty((int(mask.sum()), 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            order = tuple(int(axis == i) + int(axis == j) for axis in range(3))
            hessian[:, i, j] = hessian[:, j, i] = _smooth(image, scale, order)[mask] * scale**2
    return np.linalg.eigvalsh(hessian)
