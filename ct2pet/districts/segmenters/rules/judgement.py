"""The confidence in a division, and warnings on what a person should check."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM
from ct2pet.districts.segmenters.rules.division import ARMS, HEAD, LEGS, NAMES, TRUNK, Division
from ct2pet.districts.segmenters.rules.scene import Scene, span, voxels
from ct2pet.districts.segmenters.rules.sections import edge

_LEAST_ML = 30.0
_UNEQUAL = 1.6  # left and right limbs differ by no more
_GROWN = 0.35  # a share of the arms' volume
_CUT_VOXELS, _CUT_SLICES = 3, 5
_RIM_VOXELS = 1.5
_SMALL_ML, _SMALL_SURE = 500.0, 0.75  # in a district of this size an error of 5 mm in a border is a large share
_REMNANT_ML = 250.0  # smaller parts at the side of the view are hard to assign to a district
_CUT_SHARE = 0.6  # of the slices of arms: an arm that is cut along most of its length is a remnant
_BELOW_LUNGS_MM = 560.0  # from the lungs down to where every adult has thighs
_ABOVE_APEX_MM = 200.0  # from the apex up to where every adult has brain
_SHOULDERS_MM = 60.0
_SOFT_HU = (-200.0, 250.0)
_SOFT_SHARE = 0.6
_METAL_HU, _METAL_ML = 1800.0, 4.0  # at 4 mm; fillings of teeth are less
_CIRCLE_MM = 500.0  # the field of view of most scanners, also within a larger matrix


def judge(scene: Scene, division: Division) -> tuple[dict[str, float], tuple[str, ...]]:
    """The confidence (0 to 1) of each district that was found, and of arms that may be hidden; the warnings."""
    parts, warnings = division.parts, list(division.warnings)
    ml = np.bincount(parts.ravel(), minlength=max(NAMES) + 1) * scene.grid.voxel_ml
    warnings += _units(scene, division) + _metal(scene, division)
    warnings += _missing(scene, division, ml)
    warnings += _grown_arms(scene, division, ml)
    for part in () if scene.cut_side else (ARMS, LEGS):
        warnings += _unequal(scene, division, part)
    rim = _circle(scene)
    warnings += _cut_by_the_view(scene, division, rim)
    hidden = _hidden_arms(division, ml, rim)
    if hidden:
        division.doubt(0.45, ARMS)
    division.doubt(_SMALL_SURE, *(part for part in NAMES if ml[part] < _SMALL_ML))
    reported = [part for part in NAMES if ml[part] > 0 or (part == ARMS and hidden)]
    return {NAMES[part]: round(division.sure[part], 2) for part in reported}, (*warnings, *hidden)


def _units(scene: Scene, division: Division) -> list[str]:
    flesh = scene.coarse.hu[scene.body & ~scene.lungs]
    share = np.mean((flesh > _SOFT_HU[0]) & (flesh < _SOFT_HU[1])) if flesh.size else 0.0
    if share > _SOFT_SHARE:
        return []
    division.doubt(0.2, *NAMES)
    return [
        f"only {100 * share:.0f}% of the body has the numbers of soft tissue: is the CT in HU, is much of it metal?"
    ]


def _metal(scene: Scene, division: Division) -> list[str]:
    metal = division.parts[scene.coarse.hu > _METAL_HU]
    if np.count_nonzero(metal) * scene.grid.voxel_ml < _METAL_ML:
        return []
    where = [part for part in NAMES if np.count_nonzero(metal == part) * scene.grid.voxel_ml > _METAL_ML / 4]
    division.doubt(0.6, *where)
    return [f"metal or dense contrast in {', '.join(NAMES[part] for part in where)}: its streaks may mislead the rules"]


def _missing(scene: Scene, division: Division, ml: np.ndarray) -> list[str]:
    """Warnings of districts that should be in view."""
    seen, lungs, warnings = span(scene.body), span(scene.lungs), []
    if seen is None or lungs is None:
        return []
    if ml[LEGS] < _LEAST_ML and (lungs[0] - seen[0]) * STEP_MM > _BELOW_LUNGS_MM:
        warnings.append(
            f"no legs found, though the scan reaches {(lungs[0] - seen[0]) * STEP_MM / 10:.0f} cm below the lungs"
        )
        division.doubt(0.3, TRUNK)
    if scene.apex is None:
        return warnings
    above = (seen[1] - scene.apex) * STEP_MM
    if above > _ABOVE_APEX_MM and not scene.brain.any():
        warnings.append(f"no brain found, though the scan reaches {above / 10:.0f} cm above the lungs")
        division.doubt(0.5, HEAD)
    if above > _SHOULDERS_MM and ml[ARMS] < _LEAST_ML:
        warnings.append("no arms found, though the shoulders are in view")
        division.doubt(0.45, TRUNK)
    return warnings


def _grown_arms(scene: Scene, division: Division, ml: np.ndarray) -> list[str]:
    if ml[ARMS] < _LEAST_ML or division.apart is None:
        return []
    grown = float(np.count_nonzero((division.parts == ARMS) & ~division.apart) * scene.grid.voxel_ml / ml[ARMS])
    division.doubt(0.95 - 0.7 * max(0.0, grown - 0.2), ARMS)
    if grown < _GROWN:
        return []
    return [f"{100 * grown:.0f}% of the arms touch the trunk: their border lies midway between the bones"]


def _unequal(scene: Scene, division: Division, part: int) -> list[str]:
    if division.middle is None:
        return []
    columns = np.arange(division.parts.shape[2])[None] > division.middle[:, None]
    limb = division.parts == part
    left = float(np.count_nonzero(limb & columns[:, None]) * scene.grid.voxel_ml)
    right = float(np.count_nonzero(limb) * scene.grid.voxel_ml) - left
    if left + right < _LEAST_ML or max(left, right) < _UNEQUAL * min(left, right):
        return []
    if part == ARMS and min(left, right) >= _LEAST_ML and _one_raised(division, limb, columns):
        return []
    division.doubt(0.45, part)
    name = NAMES[part]
    if min(left, right) < _LEAST_ML:
        return [f"{name}: only the {'left' if left > right else 'right'} one was found"]
    return [f"{name}: {left:.0f} ml on the left, {right:.0f} ml on the right"]


def _one_raised(division: Division, limb: np.ndarray, columns: np.ndarray) -> bool:
    """Whether one arm lies above the other: the field of view shows different parts of them."""
    heights = [np.nonzero(limb & side[:, None])[0].mean() for side in (columns, ~columns)]
    return abs(heights[0] - heights[1]) > voxels(200)


def _cut_by_the_view(scene: Scene, division: Division, rim: np.ndarray) -> list[str]:
    border = edge(scene.coarse.seen) | rim
    warnings = []
    for part, name in NAMES.items():
        slices = _cut_slices(border & (division.parts == part))
        if slices >= _CUT_SLICES:
            warnings.append(f"{name}: cut by the side of the field of view over {slices * STEP_MM / 10:.0f} cm")
            ml = np.count_nonzero(division.parts == part) * scene.grid.voxel_ml
            remnant = ml <= _REMNANT_ML or (part == ARMS and slices > _CUT_SHARE * _num_slices(division.parts == part))
            division.doubt(0.45 if remnant else 0.8, part)
    return warnings


def _hidden_arms(division: Division, ml: np.ndarray, rim: np.ndarray) -> list[str]:
    """The warning that arms beside a trunk that reaches the rim of the field of view may be in view only in part, too
    little to distinguish them from the trunk."""
    if ml[ARMS] >= _LEAST_ML or _cut_slices(rim & (division.parts == TRUNK)) < _CUT_SLICES:
        return []
    return ["no arms found, but the trunk reaches the rim of the round field of view: parts of arms may be trunk there"]


def _cut_slices(border: np.ndarray) -> int:
    """The number of slices with more than a few voxels."""
    return int(np.count_nonzero(border.sum(axis=(1, 2)) >= _CUT_VOXELS))


def _num_slices(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask.any(axis=(1, 2))))


def _circle(scene: Scene) -> np.ndarray:
    """The rim of the circle at which the reconstruction may end, in the matrix or at 500 mm; all false where the body
    is outside it, too."""
    _, rows, columns = scene.body.shape
    y, x = np.mgrid[:rows, :columns]
    distance = np.hypot(y - (rows - 1) / 2, x - (columns - 1) / 2)
    farthest = distance[scene.body.any(axis=0)].max(initial=0)
    inscribed = min(rows, columns) / 2
    for radius in (inscribed, min(inscribed, _CIRCLE_MM / 2 / STEP_MM)):
        rim = scene.body & (distance > radius - _RIM_VOXELS)
        long_enough = rim.sum(axis=(1, 2)) >= 2 * _CUT_VOXELS
        if farthest <= radius and long_enough.any():
            return rim & ndimage.binary_dilation(long_enough)[:, None, None]
    return np.zeros_like(scene.body)
