"""The input of the rules: a CT at 4 mm with its body, bones, lungs, brain and middle line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import CROSS, STEP_MM, Coarse, ball
from ct2pet.volume import Grid

_BONE_SHARE = 0.2
_GAS_HU = -500.0
_AIRWAY_HU = -960.0  # gas in airways and bowel is darker than any lung, that of emphysema included
_LUNG_ML = 100.0  # without its rim; gas in the bowel seldom reaches it
_APEX_ML = 40.0  # an apex or the edge of a lung counts as lung where ribs surround it
_RIB_MM, _RIB_SHARE = 14.0, 0.45  # share of a lung's surface so near to bone: 0.5 and more, of the colon's less
_APEX_CM2 = 2.0
_BRAIN_ML = 100.0
_BRAIN_HU = (-10.0, 100.0)
_BRAIN_MEAN_HU = (10.0, 75.0)
_BRAIN_SHARE = 0.8  # of what the skull encloses; a ring of ribs or pelvis encloses fat and gas too
_SKULL_MM = 8.0
_MEDIASTINUM_MM = 12.0
_ONE_LUNG = 0.7
_SPINE_MM = 44.0  # largest distance of the spine from either lung
_HALF_CHEST_MM = 134.0  # from the middle line to the outer border of a lung
_CUT_DEEP, _CUT_FLAT = 0.6, 0.3  # of the body's depth: whether a side of the view cuts the chest
_NECK_MM = 150.0  # from the brain down to the shoulders
_LEAN_MM = (9.0, 45.0)  # inclination of the middle line between the lungs; above, one lung ends
_LEAST_HALF_MM = 60.0


def voxels(millimetres: float) -> int:
    """A length in coarse voxels, rounded."""
    return round(millimetres / STEP_MM)


def span(mask: np.ndarray) -> tuple[int, int] | None:
    """First and last slice (Z) of a mask; None where it is empty."""
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    return (int(slices[0]), int(slices[-1])) if slices.size else None


def _means(values: np.ndarray, parts: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The mean of each part, 0 where it is empty."""
    counts = np.bincount(parts.ravel(), minlength=len(index) + 1)[index]
    sums = np.bincount(parts.ravel(), weights=values.ravel(), minlength=len(index) + 1)[index]
    return sums / np.maximum(counts, 1)


def _middle_column(mask: np.ndarray) -> float:
    """The median middle between left and right edge (X, voxels) of slices as wide as half of the widest."""
    columns = np.asarray(mask.any(axis=1))
    wide = columns.sum(axis=1) > 0.5 * columns.sum(axis=1).max()
    return float(np.median([(np.flatnonzero(row)[0] + np.flatnonzero(row)[-1]) / 2 for row in columns[wide]]))


@dataclass(frozen=True)
class Scene:
    """Landmarks in a coarse CT. All masks are bool (Z, Y, X)."""

    coarse: Coarse

    @property
    def body(self) -> np.ndarray:
        return self.coarse.body

    @property
    def grid(self) -> Grid:
        return self.coarse.grid

    @cached_property
    def bone(self) -> np.ndarray:
        """Bone, and everything of its density, also metal and contrast. Bones continue over slices, noise and streaks
        do not."""
        return self.body & (ndimage.gaussian_filter1d(self.coarse.dense, 1.0, axis=0) > _BONE_SHARE)

    @cached_property
    def lungs(self) -> np.ndarray:
        """Large spaces of lung's density inside the body; all false where there are none."""
        hu = self.coarse.hu
        gas = self.body & (hu < _GAS_HU) & (hu > _AIRWAY_HU)
        parts, count = ndimage.label(ndimage.binary_erosion(gas, CROSS, border_value=1))
        if not count:
            return np.zeros_like(gas)
        volumes = np.bincount(parts.ravel()) * self.grid.voxel_ml
        wanted = volumes > _LUNG_ML
        for number in np.flatnonzero((volumes > _APEX_ML) & ~wanted):
            wanted[number] = number > 0 and self._ribs_surround(parts == number, gas)
        wanted[0] = False
        return ndimage.binary_dilation(wanted[parts], CROSS, mask=gas)

    def _ribs_surround(self, core: np.ndarray, gas: np.ndarray) -> bool:
        lung = ndimage.binary_dilation(core, CROSS, iterations=2, mask=gas)
        shell = ndimage.binary_dilation(lung, CROSS) & ~lung
        near = ndimage.binary_dilation(self.bone, ball(STEP_MM), iterations=round(_RIB_MM / STEP_MM))
        return bool(near[shell].mean() > _RIB_SHARE)

    @cached_property
    def brain(self) -> np.ndarray:
        """Soft tissue that bone encloses in axial slices; all false where there is none."""
        inside = np.zeros(self.body.shape, dtype=bool)
        square = ndimage.generate_binary_structure(2, 2)
        for k in np.flatnonzero(self.bone.any(axis=(1, 2))):
            closed = ndimage.binary_closing(np.pad(self.bone[k], 3), square, iterations=2)[3:-3, 3:-3]
            inside[k] = ndimage.binary_fill_holes(closed) & ~closed
        parts, count = ndimage.label(ndimage.binary_opening(inside, ball(_SKULL_MM)))
        if not count:
            return np.zeros_like(inside)
        hu, index = ndimage.gaussian_filter(self.coarse.hu, 1.0), np.arange(1, count + 1)
        inner = np.where(ndimage.binary_erosion(parts > 0, CROSS, 2), parts, 0)  # away from the skull's partial volume
        volumes = np.bincount(parts.ravel())[1:] * self.grid.voxel_ml
        shares = _means((hu > _BRAIN_HU[0]) & (hu < _BRAIN_HU[1]), inner, index)
        means = _means(hu, inner, index)
        wanted = (volumes > _BRAIN_ML) & (shares > _BRAIN_SHARE)
        wanted &= (means > _BRAIN_MEAN_HU[0]) & (means < _BRAIN_MEAN_HU[1])
        return np.r_[False, wanted][parts]

    @cached_property
    def apex(self) -> int | None:
        """The highest slice with more than the tip of the lungs; None where the scan ends in the lungs or shows
        none."""
        areas = self.lungs.sum(axis=(1, 2)) * STEP_MM**2 / 100
        slices = np.flatnonzero(areas > _APEX_CM2)
        seen = np.flatnonzero(self.body.any(axis=(1, 2)))
        return int(slices[-1]) if slices.size and slices[-1] < seen[-1] - 1 else None

    @cached_property
    def middle(self) -> np.ndarray | None:
        """Where (X, voxels) the middle line lies in each slice: known in the chest, which may lean (scoliosis), and in
        the brain, linear between and constant beyond; None where neither is in view."""
        heights: list[float] = []
        columns: list[float] = []
        lungs, brain = span(self.lungs), span(self.brain)
        if lungs is not None:
            seen = self.lungs[lungs[0] : lungs[1] + 1]
            column, lean = self._chest_middle(seen), self._chest_lean(seen)
            heights += lungs if lean else [(lungs[0] + lungs[1]) / 2]
            columns += [column - lean, column + lean] if lean else [column]
        if brain is not None:
            heights.append((brain[0] + brain[1]) / 2)
            columns.append(_middle_column(self.brain[brain[0] : brain[1] + 1]))
        if not heights:
            return None
        order = np.argsort(heights)
        return np.interp(np.arange(self.body.shape[0]), np.array(heights)[order], np.array(columns)[order])

    @cached_property
    def cut_side(self) -> int:
        """The side (-1: low x, 1: high x) at which the view ends in the middle of the chest, so that only one half is
        in view; 0 where both halves, or no lungs, are in view."""
        where = span(self.lungs)
        if where is None:
            return 0
        depths = np.count_nonzero(self.body[where[0] : where[1] + 1], axis=1)
        first, last = (float(np.median(depths[:, k] / np.maximum(depths.max(axis=1), 1))) for k in (0, -1))
        if max(first, last) < _CUT_DEEP or min(first, last) > _CUT_FLAT:
            return 0
        return -1 if first > last else 1

    def _chest_middle(self, lungs: np.ndarray) -> float:
        """Between the lungs, and the spine where one lung is missing: then lung, not mediastinum, lies between. Where
        one half of the chest is in view, as far from the lung's outer border as in most people."""
        if self.cut_side:
            columns = np.flatnonzero(lungs.any(axis=(0, 1)))
            border, half = columns[0] if self.cut_side > 0 else columns[-1], _HALF_CHEST_MM / STEP_MM
            return float(border + self.cut_side * half)
        between, width = _middle_column(lungs), voxels(_MEDIASTINUM_MM)
        profile = lungs.sum(axis=(0, 1))
        inner = profile[max(0, round(between) - width) : round(between) + width + 1]
        if inner.mean() < _ONE_LUNG * profile[profile > 0].mean():
            return between
        first, last = span(self.lungs) or (0, 0)
        columns = np.flatnonzero(lungs.any(axis=(0, 1)))
        low, high = max(0, columns[0] - voxels(_SPINE_MM)), columns[-1] + 1 + voxels(_SPINE_MM)
        back = round(float(np.nonzero(lungs)[1].mean()))
        found = []
        for z in range(first, first + max(1, round(0.8 * (last - first)))):  # no humeral heads
            smooth = ndimage.gaussian_filter(self.bone[z, back:, low:high].astype(np.float32), 3)
            if smooth.max(initial=0) > 0.1:
                found.append(low + int(np.unravel_index(smooth.argmax(), smooth.shape)[1]))
        return float(np.median(found)) if found else between

    def _chest_lean(self, lungs: np.ndarray) -> float:
        """How far (voxels) the middle line moves from the middle of the lungs to their upper end: as far as it moves
        from the middle of their lower half to that of their upper half. 0 where it hardly does, and in half a chest."""
        half = len(lungs) // 2
        if self.cut_side or half < voxels(_LEAST_HALF_MM):
            return 0.0
        lean = _middle_column(lungs[half:]) - _middle_column(lungs[:half])
        return float(lean) if _LEAN_MM[0] <= abs(lean) * STEP_MM <= _LEAN_MM[1] else 0.0

    @property
    def shoulder(self) -> int:
        """About the slice of the shoulder joints; above the scan where it shows neither lungs nor brain."""
        lungs, brain = span(self.lungs), span(self.brain)
        if lungs:
            return lungs[1]
        return brain[0] - voxels(_NECK_MM) if brain else self.body.shape[0] + voxels(_NECK_MM)
