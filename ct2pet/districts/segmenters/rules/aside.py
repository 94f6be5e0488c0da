"""Which axial sections are central (trunk, head and legs) and which lateral (arms)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.bones import Bones
from ct2pet.districts.segmenters.rules.scene import Scene, span, voxels
from ct2pet.districts.segmenters.rules.sections import Sections

_BAND_MM = 28.0  # on each side of the middle line; head, neck and trunk cross it, arms seldom do
_HEAD_MM = 50.0  # distance of the centres of a head's parts from the middle line: at most half its width
_SEED = 0.03  # share of a section that is lung or brain
_THIGH = 0.18  # of the trunk above: thighs are larger, hands and forearms smaller
_TRUNK_MM = 250.0  # below the lungs there are no legs within this distance
_SCALP_MM = 28.0  # skull and scalp above the brain
_SHOULDER_MM = 72.0  # above and below the apex of the lungs
_GIRDLE_CM2 = 1.0
_BONY = 0.012
_LEAST_ML = 20.0
_ARM_CM2 = 260.0  # no arm is thicker


@dataclass(frozen=True)
class Anchor:
    """The sections that are certainly central: ``seeds`` (bool by the number of the section) in the slice ``start``.
    ``middle`` (X, voxels) is the middle line in each slice; legs may begin below the slice ``chest``; the head ends at
    the slice ``vertex``."""

    start: int
    seeds: np.ndarray
    middle: np.ndarray
    chest: int
    vertex: int


def anchor_of(scene: Scene, sections: Sections) -> Anchor | None:
    """The anchor by lungs or brain; None where neither is in view."""
    lungs, brain = span(scene.lungs), span(scene.brain)
    if scene.middle is None:
        return None
    landmark = scene.lungs if lungs else scene.brain
    seeds = (sections.share_of(scene.lungs) > _SEED) | (sections.share_of(scene.brain) > _SEED)
    seeds[0] = False
    return Anchor(
        start=int(landmark.sum(axis=(1, 2)).argmax()),
        seeds=seeds,
        middle=scene.middle,
        chest=lungs[0] if lungs else 0,
        vertex=brain[1] + voxels(_SCALP_MM) if brain else scene.body.shape[0],
    )


def central_sections(scene: Scene, sections: Sections, anchor: Anchor) -> np.ndarray:
    """bool by number: the sections of trunk, head and legs that are not lateral."""
    return _Sorter(scene, sections, anchor).central()


def arm_sections(scene: Scene, sections: Sections, bones: Bones, central: np.ndarray, *, bare: bool) -> np.ndarray:
    """bool (Z, Y, X): the lateral sections that are arms. Breasts and folds of the belly are lateral, too: an arm has
    bones, or, where ``bare`` ones count, leaves the field of view. Near the shoulder joints a section that touches a
    central one and contains several bones is a shoulder: clavicle, scapula and humerus."""
    joined = np.isin(sections.piece, sections.piece[central])
    several = np.bincount(bones.section[bones.area > _GIRDLE_CM2], minlength=len(central)) > 1
    shoulders = slice(max(0, scene.shoulder - voxels(_SHOULDER_MM)), scene.shoulder + voxels(_SHOULDER_MM))
    aside = scene.body & ~central[sections.labels]
    aside[shoulders] &= ~(joined & several)[sections.labels[shoulders]]
    if scene.cut_side:  # in half a chest, what lies before or behind the lung is breast or back
        columns = np.flatnonzero(scene.lungs.any(axis=(0, 1)))
        beside = sections.x > columns[-1] if scene.cut_side < 0 else sections.x < columns[0]
        aside &= beside[sections.labels]
    return _limbs(scene, sections, aside, bare=bare)


def _limbs(scene: Scene, sections: Sections, aside: np.ndarray, *, bare: bool) -> np.ndarray:
    parts, count = ndimage.label(aside)
    flat, length = parts.ravel(), count + 1
    sizes = np.bincount(flat, minlength=length)
    bone = np.bincount(flat, weights=scene.bone.ravel(), minlength=length)
    at_edge = np.zeros(length, dtype=bool)
    np.logical_or.at(at_edge, flat, sections.cut[sections.labels.ravel()] > 0)
    slices = np.array([part.stop - part.start for part, *_ in ndimage.find_objects(parts)])
    section = np.r_[0, sizes[1:] / np.maximum(slices, 1)] * STEP_MM**2 / 100
    wanted = (sizes * scene.grid.voxel_ml > _LEAST_ML) & (section < _ARM_CM2)
    wanted &= (bone > _BONY * sizes) | (at_edge & bare)
    wanted[0] = False
    return wanted[parts]


class _Sorter:
    """Follows the central sections from the anchor up and down, slice by slice."""

    def __init__(self, scene: Scene, sections: Sections, anchor: Anchor) -> None:
        self._sections, self._anchor = sections, anchor
        self._is_central = np.zeros(len(sections.area), dtype=bool)
        last = scene.body.shape[2] - 1
        middle = np.clip(anchor.middle, 0, last)  # if it is outside the view, the body reaches that side of the view
        columns = np.abs(np.arange(last + 1)[None] - middle[:, None]) * STEP_MM < _BAND_MM
        band = np.broadcast_to(columns[:, None], scene.body.shape)
        self._on_band = sections.share_of(band & scene.body) * sections.area
        self._numbers = [sections.numbers(z) for z in range(len(scene.body))]
        self._legs = False
        # of half a body, a single piece beside the trunk at this height is an arm
        self._thighs = anchor.chest - (voxels(_TRUNK_MM) if scene.cut_side else 0)

    def central(self) -> np.ndarray:
        """bool by the section's number."""
        anchor, numbers = self._anchor, self._numbers[self._anchor.start]
        self._is_central[numbers[anchor.seeds[numbers]]] = True
        for z in range(anchor.start + 1, min(anchor.vertex + 1, len(self._numbers))):
            self._follow_middle(z, z - 1)
        for z in range(anchor.start - 1, -1, -1):
            if z >= self._thighs:
                self._follow_middle(z, z + 1)
            else:
                self._follow_down(z)
        return self._is_central

    def _follow_middle(self, z: int, before: int) -> None:
        """The section on the middle line, and those near it without air between: nose and cheeks."""
        numbers = self._numbers[z]
        overlap = self._overlap(z, before, numbers)
        on_band = np.where((overlap > 0) | self._anchor.seeds[numbers], self._on_band[numbers], 0)
        if on_band.max(initial=0) <= 0:
            return
        sections, middle = self._sections, numbers[on_band.argmax()]
        beside = np.abs(sections.x[numbers] - self._anchor.middle[z]) * STEP_MM < _HEAD_MM
        touching = (sections.piece[numbers] == sections.piece[middle]) & (overlap > 0) & beside
        self._is_central[numbers[touching | self._anchor.seeds[numbers]]] = True
        self._is_central[middle] = True

    def _follow_down(self, z: int) -> None:
        """From the lungs to the feet: the central sections, then both legs, whose upper ends are thicker than arms."""
        numbers = self._numbers[z]
        if not numbers.size:
            return
        overlap = self._overlap(z, z + 1, numbers)
        aside = self._overlap(z, z + 1, numbers, central=False)
        if self._legs:
            self._is_central[numbers[(overlap >= aside)]] = True
            return
        above = self._numbers[z + 1]
        size = self._sections.area[above[self._is_central[above]]].sum()
        large = (self._sections.area[numbers] > _THIGH * size) & (overlap > 0) & (overlap >= aside)
        on_band = np.where(overlap > 0, self._on_band[numbers], 0)
        if on_band.max() > 0:
            large[on_band.argmax()] = True
        self._is_central[numbers[large]] = True
        self._legs = bool(np.count_nonzero(self._sections.area[numbers[large]] > _THIGH * size) > 1)

    def _overlap(self, z: int, before: int, numbers: np.ndarray, *, central: bool = True) -> np.ndarray:
        """The voxels of each section that are above or below a central (or lateral) section of the previous slice."""
        labels, other = self._sections.labels[z], self._sections.labels[before]
        known = (self._is_central[other] == central) & (other > 0)
        return np.bincount(labels[known], minlength=len(self._sections.area))[numbers]
