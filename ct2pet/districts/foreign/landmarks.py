"""Trunk and extremities, and some bones, make four districts: which end of the body an extremity is, and where the
head begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ct2pet.volume import Box, Volume

TRUNK, EXTREMITIES = 1, 2
"""What the body's map holds."""

_SIDES = ("left", "right")
_CERVICAL = tuple(f"vertebrae_C{n}" for n in range(1, 8))
_SKULL = ("skull", "brain")
_SHOULDER = tuple(f"{bone}_{side}" for bone in ("humerus", "scapula") for side in _SIDES)
_BONES = {
    "head": _SKULL,
    "arms": tuple(f"humerus_{side}" for side in _SIDES),
    "legs": tuple(f"femur_{side}" for side in _SIDES),
}
"""The bones that lie in an extremity and say what it is (the head is one to some)."""
LANDMARKS = (*_SKULL, *_CERVICAL, "vertebrae_T1", *_SHOULDER, *_BONES["legs"])

_COARSE_MM = 4.0  # fine enough to tell parts of the body from each other
_OWN_SHARE = 0.2  # of all bones of a kind: what a part must hold to be of that kind
_SMALL_ML = 50.0  # what is smaller needs no warning
_ARM_REACH_MM = 200.0  # how far below the lowest point of the trunk the middle of a hand may lie
_CERVICAL_MM = 17.0  # from one vertebra of the neck to the next
_NECK_MM = 100.0  # from the lowest point of skull or brain to the root of the neck
_RISE, _NECK_HALF_WIDTH_MM = 0.3, 60.0


def split_body(
    body: Volume, bones: np.ndarray, labels: Mapping[str, int], districts: Mapping[str, int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The ``districts`` head, trunk, arms and legs (name: label; those missing become 0) and warnings.

    ``body`` (Z, Y, X, in canonical order) is TRUNK and EXTREMITIES; ``bones``, of the same shape, holds the
    LANDMARKS with the numbers that ``labels`` gives them, and whatever else. The limbs end where the body's map says.
    The head begins at the root of the neck: a plane through C7 that rises to the back and over the shoulders.
    """
    coarse = _Coarse.of(body, bones, labels)
    kinds, warnings = _kinds_of_extremities(coarse)
    neck, doubts = _root_of_neck(coarse)
    found = np.zeros(body.array.shape, np.uint8)
    trunk = body.array == TRUNK
    found[trunk] = districts.get("trunk", 0)
    if neck is not None:
        head = trunk & _above(neck, body) & coarse.repeated(_nearer_to_neck(coarse), body.array.shape)
        found[head] = districts.get("head", 0)
    extremities = body.array == EXTREMITIES
    table = np.array([0, *(districts.get(name, 0) for name in _BONES)], np.uint8)
    found[extremities] = table[coarse.repeated(kinds, body.array.shape)[extremities]]
    return found, (*warnings, *doubts)


@dataclass(frozen=True)
class _Coarse:
    """Every few voxels of body and bones."""

    body: np.ndarray
    bones: np.ndarray
    labels: Mapping[str, int]
    factors: tuple[int, ...]
    spacing: tuple[float, ...]

    @classmethod
    def of(cls, body: Volume, bones: np.ndarray, labels: Mapping[str, int]) -> _Coarse:
        factors = tuple(max(1, round(_COARSE_MM / size)) for size in body.grid.spacing)
        every = tuple(
            slice(factor // 2 if n > factor // 2 else 0, None, factor) for n, factor in zip(bones.shape, factors)
        )
        spacing = tuple(size * factor for size, factor in zip(body.grid.spacing, factors))
        return cls(body.array[every], bones[every], labels, factors, spacing)

    def of_bones(self, *names: str) -> np.ndarray:
        """True in the bones of these names."""
        return np.isin(self.bones, [self.labels[name] for name in names])

    def centre(self, *names: str) -> np.ndarray | None:
        """The centre of the bones as z, y, x (mm from the first voxel), None where they are not to be seen."""
        places = np.argwhere(self.of_bones(*names))
        return places.mean(axis=0) * self.spacing if len(places) else None

    def repeated(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Coarse values for each voxel."""
        for axis, (factor, length) in enumerate(zip(self.factors, shape)):
            values = values.take(np.minimum(np.arange(length) // factor, values.shape[axis] - 1), axis=axis)
        return values


def _kinds_of_extremities(coarse: _Coarse) -> tuple[np.ndarray, list[str]]:
    """For each coarse voxel the number (in the order of _BONES, from 1) of the nearest extremity's kind."""
    kinds, warnings = np.zeros(coarse.body.shape, np.uint8), []
    bones = np.zeros(coarse.body.shape, np.uint8)
    for number, names in enumerate(_BONES.values(), start=1):
        bones[coarse.of_bones(*names)] = number
    parts, count = ndimage.label(coarse.body == EXTREMITIES)
    for part in range(1, count + 1):
        here = parts == part
        kinds[here], warning = _kinds_in(here, bones, coarse)
        warnings += [warning] if warning else []
    return _nearest(kinds, coarse.spacing) if count else kinds, warnings


def _kinds_in(here: np.ndarray, bones: np.ndarray, coarse: _Coarse) -> tuple[np.ndarray | int, str]:
    """The kind of a connected part, or of each of its voxels where bones of two kinds lie in it."""
    all_bones = np.bincount(bones.ravel(), minlength=len(_BONES) + 1)[1:]
    own = np.bincount(bones[here], minlength=len(_BONES) + 1)[1:]
    present = np.flatnonzero((own > 0) & (own >= _OWN_SHARE * all_bones)) + 1
    names = list(_BONES)
    if len(present) == 1:
        return int(present[0]), ""
    if len(present) > 1:
        seeds = np.where(here & np.isin(bones, present), bones, 0)
        what = " and ".join(names[kind - 1] for kind in present)
        return _parted(here, seeds, coarse)[here], f"{what} touch: where one ends and the other begins is a guess"
    kind = _kind_by_place(here, coarse)
    ml = np.count_nonzero(here) * float(np.prod(coarse.spacing)) / 1000
    warning = f"no bone shows whether {ml:.0f} ml are arms or legs; taken for {kind} because of where they lie"
    return names.index(kind) + 1, warning if ml > _SMALL_ML else ""


def _parted(here: np.ndarray, seeds: np.ndarray, coarse: _Coarse) -> np.ndarray:
    """The part divided between its seeds where it is thinnest: a hand that rests on a thigh goes with the arm, because
    the wrist is thicker than the contact. A watershed (ITK) of the distance to the part's surface."""
    inside = ndimage.distance_transform_edt(np.pad(here, 1, mode="edge"), coarse.spacing)[1:-1, 1:-1, 1:-1]
    box = Box.around(here).slices  # type: ignore[union-attr]
    height, markers = (sitk.GetImageFromArray(array[box]) for array in (-inside.astype(np.float32), seeds))
    divided = np.zeros_like(seeds)
    divided[box] = sitk.GetArrayFromImage(sitk.MorphologicalWatershedFromMarkers(height, markers, False, True))
    return divided


def _kind_by_place(here: np.ndarray, coarse: _Coarse) -> str:
    """Legs lie under the trunk or far below it; all else are arms, a hand beside the thigh too."""
    trunk = coarse.body == TRUNK
    if not trunk.any():
        return "legs"
    lowest = np.flatnonzero(trunk.any(axis=(1, 2)))[0]
    above_lowest = (np.argwhere(here)[:, 0].mean() - lowest) * coarse.spacing[0]
    under_trunk = np.mean(np.broadcast_to(trunk.any(axis=0), here.shape)[here])
    return "legs" if above_lowest < -_ARM_REACH_MM or (above_lowest < 0 and under_trunk > 0.5) else "arms"


def _nearest(values: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The nearest value that is not 0."""
    places = ndimage.distance_transform_edt(values == 0, spacing, return_distances=False, return_indices=True)
    return values[tuple(places)]


def _root_of_neck(coarse: _Coarse) -> tuple[np.ndarray | None, list[str]]:
    """z, y, x (mm) of C7; None where neither head nor neck is to be seen."""
    head = np.argwhere(coarse.of_bones(*_SKULL)) * coarse.spacing
    for number in range(7, 0, -1):  # the lowest one that is to be seen
        centre = coarse.centre(f"vertebrae_C{number}")
        if centre is not None:
            return centre - np.array([(7 - number) * _CERVICAL_MM, 0, 0]), []
    if not len(head):
        return None, []
    below = coarse.centre("vertebrae_T1")
    if below is not None:
        return below + np.array([_CERVICAL_MM, 0, 0]), []
    guess = np.array([head[:, 0].min() - _NECK_MM, *head.mean(axis=0)[1:]])
    return guess, ["no vertebra of the neck was found: where the head begins is a guess"]


def _above(neck: np.ndarray, body: Volume) -> np.ndarray:
    z, y, x = (np.arange(n) * size - at for n, size, at in zip(body.array.shape, body.grid.spacing, neck))
    aside = np.maximum(0, np.abs(x) - _NECK_HALF_WIDTH_MM)
    return z[:, None, None] > _RISE * y[None, :, None] + aside[None, None, :]


def _nearer_to_neck(coarse: _Coarse) -> np.ndarray:
    """Where head and neck are nearer than the shoulders, which reach above the neck's root where arms are raised."""
    shoulder = coarse.of_bones(*_SHOULDER)
    if not shoulder.any():
        return np.ones(shoulder.shape, bool)
    neck = coarse.of_bones(*_SKULL, *_CERVICAL)
    if not neck.any():
        return np.zeros(shoulder.shape, bool)
    to_shoulder, to_neck = (ndimage.distance_transform_edt(~mask, coarse.spacing) for mask in (shoulder, neck))
    return to_neck < to_shoulder
