"""Which axial sections lie in the body's middle (trunk, head and legs) and which aside (arms)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ct2pet.districts._body import STEP_MM
from ct2pet.districts._rules_scene import Scene, span, voxels
from ct2pet.districts._rules_sections import Sections

_BAND_MM = 28.0  # about the middle line; head, neck and trunk lie on it, arms seldom
_HEAD_MM = 50.0  # half a head's width and less: so near the middle line lie the middles of its parts
_SEED = 0.03  # share of a section that lung or brain takes
_THIGH = 0.25  # of the trunk above: thighs are larger, hands and forearms smaller
_SCALP_MM = 28.0  # skull and scalp above the brain
_BONY = 0.012
_LEAST_ML = 20.0
_ARM_CM2 = 260.0  # no arm is thicker


def arm_sections(scene: Scene, sections: Sections) -> np.ndarray:
    """bool (Z, Y, X): the sections that belong to arms. Needs lungs or brain in the scene."""
    central = _Sorter(scene, sections).central()
    aside = scene.body & ~central[sections.labels]
    return _limbs(scene, sections, aside)


def _limbs(scene: Scene, sections: Sections, aside: np.ndarray) -> np.ndarray:
    """Aside lie breasts and folds of the belly too: an arm has bones, or leaves the field of view."""
    parts, count = ndimage.label(aside)
    flat, length = parts.ravel(), count + 1
    sizes = np.bincount(flat, minlength=length)
    bone = np.bincount(flat, weights=scene.bone.ravel(), minlength=length)
    at_edge = np.zeros(length, dtype=bool)
    np.logical_or.at(at_edge, flat, sections.at_edge[sections.labels.ravel()])
    slices = np.array([part.stop - part.start for part, *_ in ndimage.find_objects(parts)])
    section = np.r_[0, sizes[1:] / np.maximum(slices, 1)] * STEP_MM**2 / 100
    wanted = (sizes * scene.grid.voxel_ml > _LEAST_ML) & (section < _ARM_CM2)
    wanted &= (bone > _BONY * sizes) | at_edge
    wanted[0] = False
    return wanted[parts]


class _Sorter:
    """Goes up and down from lungs and brain, slice by slice, and follows what lies in the middle."""

    def __init__(self, scene: Scene, sections: Sections) -> None:
        assert scene.middle is not None
        self._middle = scene.middle
        self._scene, self._sections = scene, sections
        self._is_central = np.zeros(len(sections.area), dtype=bool)
        columns = np.abs(np.arange(scene.body.shape[2])[None] - self._middle[:, None]) * STEP_MM < _BAND_MM
        band = np.broadcast_to(columns[:, None], scene.body.shape)
        self._on_band = sections.share_of(band & scene.body) * sections.area
        self._seeds = (sections.share_of(scene.lungs) > _SEED) | (sections.share_of(scene.brain) > _SEED)
        self._seeds[0] = False
        self._numbers = [np.unique(axial[axial > 0]) for axial in sections.labels]
        self._legs = False

    def central(self) -> np.ndarray:
        """bool by the section's number."""
        scene = self._scene
        landmark = scene.lungs if scene.lungs.any() else scene.brain
        start = int(landmark.sum(axis=(1, 2)).argmax())
        self._mark(start, self._seeds)
        brain = span(scene.brain)
        vertex = scene.body.shape[0] if brain is None else brain[1] + voxels(_SCALP_MM)
        for z in range(start + 1, min(vertex + 1, scene.body.shape[0])):
            self._follow_middle(z, z - 1)
        chest = span(scene.lungs) or (0, 0)
        for z in range(start - 1, -1, -1):
            if z >= chest[0]:
                self._follow_middle(z, z + 1)
            else:
                self._follow_down(z)
        return self._is_central

    def _mark(self, z: int, mask: np.ndarray) -> None:
        numbers = self._numbers[z]
        self._is_central[numbers[mask[numbers]]] = True

    def _follow_middle(self, z: int, before: int) -> None:
        """The section on the middle line, and those near it that no air parts from it: nose and cheeks."""
        numbers = self._numbers[z]
        overlap = self._overlap(z, before, numbers)
        on_band = np.where((overlap > 0) | self._seeds[numbers], self._on_band[numbers], 0)
        if on_band.max(initial=0) <= 0:
            return
        sections, middle = self._sections, numbers[on_band.argmax()]
        beside = np.abs(sections.x[numbers] - self._middle[z]) * STEP_MM < _HEAD_MM
        touching = (sections.piece[numbers] == sections.piece[middle]) & (overlap > 0) & beside
        self._is_central[numbers[touching | self._seeds[numbers]]] = True
        self._is_central[middle] = True

    def _follow_down(self, z: int) -> None:
        """From the lungs to the feet: the middle, then both legs, which are thicker than arms where they begin."""
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
        self._legs = np.count_nonzero(self._sections.area[numbers[large]] > _THIGH * size) > 1

    def _overlap(self, z: int, before: int, numbers: np.ndarray, *, central: bool = True) -> np.ndarray:
        """How much (voxels) of each section lies over what is central (or aside) in the slice before."""
        labels, other = self._sections.labels[z], self._sections.labels[before]
        known = (self._is_central[other] == central) & (other > 0)
        return np.bincount(labels[known], minlength=len(self._sections.area))[numbers]
