"""How sharp the optimum of the mutual information is along each axis: its curvature against its noise.

The mutual information is the mean over points of the pointwise mutual information. Its gradient, summed over blocks of
space, scatters from block to block; with the curvature (Hessian) H and the scatter J of the gradient, H^-1 J H^-1 is
the covariance of the optimum (the sandwich estimator: Huber 1967, Proc. Fifth Berkeley Symp. 1:221; Godambe 1960, Ann.
Math. Stat. 31:1208). Blocks are cubes of 40 mm, and the eight octants of the common region, whose scatter shows
differences between parts of the body; the larger standard deviation counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ct2pet.registration.pair import NUM_AXES, SEED, Pair

_POINTS = 40_000
_BINS = 32
_STEP_MM = 4.0  # of the differences that stand for gradient and curvature
_BLOCK_MM = 40.0
_FLAT = 1e-9  # of the curvature (nats/mm²): there is no maximum
Key = tuple[int, ...]


@dataclass(frozen=True)
class Curvature:
    """About one place: ``hessian`` of the mutual information (nats/mm²) and ``scatters`` of its gradient (nats²/mm²),
    one for each kind of blocks; rows and columns are the six axes, turns in mm at the mean distance."""

    hessian: np.ndarray
    scatters: tuple[np.ndarray, ...]

    def standard_deviations(self, free: Sequence[int]) -> np.ndarray:
        """Of the optimum along the ``free`` axes (mm), the others fixed."""
        chosen = np.ix_(free, free)
        values, vectors = np.linalg.eigh(-self.hessian[chosen])
        inverse = vectors @ np.diag(1 / np.maximum(values, _FLAT)) @ vectors.T
        return np.max([np.sqrt(np.diag(inverse @ scatter[chosen] @ inverse)) for scatter in self.scatters], axis=0)

    def sharp_axes(self, free: Sequence[int], limit_mm: float) -> list[int]:
        """Those of the ``free`` axes whose standard deviation is below ``limit_mm``, when the others are fixed: the
        worst is fixed first, because it makes those worse that move points as it does."""
        free = list(free)
        while free:
            found = self.standard_deviations(free)
            if found.max() < limit_mm:
                break
            del free[int(found.argmax())]
        return free


class PointwiseInformation:
    """The points of a pair, at random between the voxels of the PET (seeded)."""

    def __init__(self, pair: Pair) -> None:
        random = np.random.default_rng(SEED)
        pet = sitk.GetArrayViewFromImage(pair.pet)
        chosen = random.choice(pet.size, min(_POINTS, pet.size), replace=False)
        index = np.stack(np.unravel_index(chosen, pet.shape)) + random.uniform(-0.5, 0.5, (3, len(chosen)))
        values = ndimage.map_coordinates(pet, index, order=1, mode="nearest")
        self._pair = pair
        self._points = _to_physical(pair.pet, index[::-1].T)
        self._pet_bins = np.clip((_unit(values, pet) * _BINS).astype(int), 0, _BINS - 1)
        self._ct = sitk.GetArrayViewFromImage(pair.ct)
        cubes = np.floor(self._points / _BLOCK_MM).astype(int)
        self._blocks = (
            np.unique(cubes, axis=0, return_inverse=True)[1].ravel(),
            (self._points > pair.centre) @ np.array([1, 2, 4]),
        )
        self._mm: np.ndarray = np.r_[
            np.full(3, 1 / np.linalg.norm(self._points - pair.centre, axis=1).mean()), np.ones(3)
        ]

    def curvature(self, parameters: np.ndarray) -> Curvature:
        """About the place ``parameters`` (see Pair)."""
        keys = [*_axes_steps(), *_pairs_steps()]
        sampled = {key: self._sampled(parameters + _STEP_MM * self._mm * np.array(key)) for key in keys}
        seen = np.logical_and.reduce([inside for _, inside in sampled.values()])
        if not seen.any():  # the common region is too small for a step: nothing is sharp
            return Curvature(np.zeros((NUM_AXES, NUM_AXES)), (np.eye(NUM_AXES),))
        found = {key: self._information(values, seen) for key, (values, _) in sampled.items()}
        gradients = np.stack([found[_step((axis, 1))] - found[_step((axis, -1))] for axis in range(NUM_AXES)])
        gradients /= 2 * _STEP_MM * int(np.count_nonzero(seen))
        scatters = tuple(_scatter(gradients, blocks[seen]) for blocks in self._blocks)
        return Curvature(_hessian({key: float(values.mean()) for key, values in found.items()}), scatters)

    def gain_sd(self, after: np.ndarray, before: np.ndarray) -> float:
        """The gain of mutual information between two places, over its standard deviation: the smaller one of those
        over both kinds of blocks. Points count that lie in the CT at both places."""
        (values, inside), (others, inside_before) = self._sampled(after), self._sampled(before)
        seen = inside & inside_before
        if not seen.any():
            return 0.0
        gains = (self._information(values, seen) - self._information(others, seen))[None] / np.count_nonzero(seen)
        return min(
            float(gains.sum() / np.sqrt(max(_scatter(gains, blocks[seen]).item(), 1e-30))) for blocks in self._blocks
        )

    def _sampled(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The CT at the points of the moved PET, and which of them lie in it."""
        matrix = self._pair.matrix(parameters)
        index = _to_index(self._pair.ct, self._points @ matrix[:3, :3].T + matrix[:3, 3])
        inside = np.asarray(((index >= 0) & (index <= np.array(self._ct.shape[::-1]) - 1)).all(axis=1))
        return ndimage.map_coordinates(self._ct, index.T[::-1], order=1, mode="nearest"), inside

    def _information(self, ct_values: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """The pointwise mutual information (nats) of the points ``seen``: linear between the bins of the CT."""
        place = _unit(ct_values[seen], self._ct) * (_BINS - 1)
        low = np.clip(place.astype(int), 0, _BINS - 2)
        weight, pet = place - low, self._pet_bins[seen]
        joint = np.bincount(pet * _BINS + low, 1 - weight, _BINS**2)
        joint += np.bincount(pet * _BINS + low + 1, weight, _BINS**2)
        joint = (joint / max(joint.sum(), 1)).reshape(_BINS, _BINS)
        independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        ratio = np.log(np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0))
        return (1 - weight) * ratio[pet, low] + weight * ratio[pet, low + 1]


def _unit(values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """From 0 to 1 between the image's extremes."""
    low, high = float(image.min()), float(image.max())
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1)


def _to_physical(image: sitk.Image, index: np.ndarray) -> np.ndarray:
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return (index * image.GetSpacing()) @ direction.T + image.GetOrigin()


def _to_index(image: sitk.Image, points: np.ndarray) -> np.ndarray:
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return ((points - image.GetOrigin()) @ direction) / image.GetSpacing()


def _step(*steps: tuple[int, int]) -> Key:
    key = [0] * NUM_AXES
    for axis, sign in steps:
        key[axis] = sign
    return tuple(key)


def _axes_steps() -> list[Key]:
    return [_step(), *(_step((axis, sign)) for axis in range(NUM_AXES) for sign in (-1, 1))]


def _pairs_steps() -> list[Key]:
    signs = ((1, 1), (-1, -1), (1, -1), (-1, 1))
    return [_step((a, i), (b, j)) for a, b in combinations(range(NUM_AXES), 2) for i, j in signs]


def _hessian(means: dict[Key, float]) -> np.ndarray:
    hessian = np.zeros((NUM_AXES, NUM_AXES))
    for a in range(NUM_AXES):
        hessian[a, a] = means[_step((a, 1))] - 2 * means[_step()] + means[_step((a, -1))]
    for a, b in combinations(range(NUM_AXES), 2):
        same = means[_step((a, 1), (b, 1))] + means[_step((a, -1), (b, -1))]
        hessian[a, b] = hessian[b, a] = (same - means[_step((a, 1), (b, -1))] - means[_step((a, -1), (b, 1))]) / 4
    return hessian / _STEP_MM**2


def _scatter(values: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The covariance of the sums of ``values`` (rows) over the blocks, each block being a draw."""
    sums = np.stack([np.bincount(blocks, row) for row in values])[:, np.bincount(blocks) > 0]
    number = sums.shape[1]
    centred = sums - sums.mean(axis=1, keepdims=True)
    return centred @ centred.T * number / max(1, number - 1)
