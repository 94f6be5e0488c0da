"""A scene divided into head, trunk, arms and legs, with the confidence in each border and the reasons."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM, ball
from ct2pet.districts.segmenters.rules.arms import find_arms
from ct2pet.districts.segmenters.rules.aside import Anchor, anchor_of, arm_sections, central_sections
from ct2pet.districts.segmenters.rules.bones import LIMB, UNKNOWN, Bones, change, measure_bones, votes
from ct2pet.districts.segmenters.rules.bones import TRUNK as TRUNK_VOTE
from ct2pet.districts.segmenters.rules.hips import find_hip
from ct2pet.districts.segmenters.rules.levels import (
    above_neck,
    below_groins,
    femoral_heads_level,
    ischia_level,
    shoulder_level,
)
from ct2pet.districts.segmenters.rules.limbs import limb_scores
from ct2pet.districts.segmenters.rules.scene import Scene, span, voxels
from ct2pet.districts.segmenters.rules.sections import Sections, cut_sections

HEAD, TRUNK, ARMS, LEGS = 1, 2, 3, 4
NAMES = {HEAD: "head", TRUNK: "trunk", ARMS: "arms", LEGS: "legs"}
_SURE, _FAIR, _HALF_CHEST, _CROPPED_HIP, _POOR, _GUESS = 0.95, 0.65, 0.45, 0.45, 0.4, 0.25
_LEAST_VOTES = 4
_AGREE = 0.6  # of the sections below the ischia look like thighs
_LEGS_MM = 60.0  # so much of thighs below a pelvis whose end was not found
_TROCHANTER_MM = 24.0  # sections look like thighs from so far below the ischia on
_NECK_CM2 = 220.0
_SKULL_OVER_APEX_MM = 60.0
_WHOLE = 0.3
_PURE = 0.9  # share of the slices that vote as they are divided
_CLEAR = 1.0
_SMOOTH_MM = 80.0
_THIGH_MM, _FEMUR_CM2, _FEMORA_MM = 60.0, 3.0, (50.0, 120.0)
_SKIN_MM, _GAS_HU, _GAS_ML = 12.0, -300.0, 3.0
_FRAGMENT_ML = 15.0


@dataclass(frozen=True)
class _Survey:
    scene: Scene
    sections: Sections
    bones: Bones


@dataclass
class Division:
    """``parts``: uint8 (Z, Y, X), HEAD to LEGS in the body; ``sure``: 0 to 1, by part; ``warnings``; ``middle`` (X,
    voxels, by slice) where it is known; ``apart``: the arms that do not touch the trunk in their slice."""

    parts: np.ndarray
    sure: dict[int, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    middle: np.ndarray | None = None
    apart: np.ndarray | None = None

    def doubt(self, sure: float, *parts: int) -> None:
        """The confidence of a part is at most that of its least certain border."""
        for part in parts:
            self.sure[part] = min(self.sure.get(part, 1.0), sure)


def divide(scene: Scene) -> Division:
    """By lungs and brain where they are in view, else by bones alone."""
    sections = cut_sections(scene)
    survey = _Survey(scene, sections, measure_bones(scene, sections))
    division = Division(np.where(scene.body, np.uint8(TRUNK), np.uint8(0)), dict.fromkeys(NAMES, _SURE))
    anchor = anchor_of(scene, sections)
    if scene.cut_side:
        division.doubt(_HALF_CHEST, *NAMES)
        division.warnings.append("the side of the field of view cuts the chest: the middle of the body is a guess")
    if anchor:
        _divide_around(survey, anchor, division)
    else:
        _divide_by_bones(survey, division)
    _drop_fragments(scene, division.parts)
    return division


def _divide_around(survey: _Survey, anchor: Anchor, division: Division) -> None:
    scene = survey.scene
    central = central_sections(scene, survey.sections, anchor)
    arms = _take_arms(survey, central, anchor, division, bare=not scene.cut_side)
    _cut_neck(scene, scene.body & ~arms, anchor, division)
    if scene.lungs.any():
        division.middle = _down_to_pelvis(scene.body & ~arms, anchor.middle, anchor.chest)
        found = votes(scene, survey.sections, survey.bones, central)[: anchor.chest + 1]
        _cut_groins(survey, scene.body & ~arms, found, anchor.chest, division)
    division.parts[arms] = ARMS


def _take_arms(survey: _Survey, central: np.ndarray, anchor: Anchor, division: Division, *, bare: bool) -> np.ndarray:
    """``central``: bool by the number of the section."""
    division.middle = anchor.middle
    division.apart = arm_sections(survey.scene, survey.sections, survey.bones, central, bare=bare)
    return find_arms(survey.scene, survey.sections, division.apart)


def _cut_neck(scene: Scene, central: np.ndarray, anchor: Anchor, division: Division) -> None:
    brain = span(scene.brain)
    if brain and scene.lungs.any() and _skull_is_low(scene, brain[0]):
        division.doubt(_GUESS, HEAD, TRUNK)
        division.warnings.append("the skull does not lie above the lungs: are the CT's axes right?")
    if scene.lungs.any():
        level = None if scene.apex is None else scene.apex + 1
    else:
        level = shoulder_level(scene, central)
        if level is None:
            division.parts[division.parts > 0] = HEAD
            return
        division.doubt(_FAIR, HEAD, TRUNK)
    if level is not None:
        division.parts[above_neck(scene, anchor.middle, level) & central] = HEAD


def _skull_is_low(scene: Scene, lowest: int) -> bool:
    apex = (span(scene.lungs) or (0, 0))[1]
    return (lowest - apex) * STEP_MM < _SKULL_OVER_APEX_MM


def _down_to_pelvis(central: np.ndarray, middle: np.ndarray, chest: int) -> np.ndarray:
    """The middle line below the chest: the smoothed middle of trunk and legs, because a body may be oblique in the
    scan."""
    counts = central[:chest].sum(axis=1).astype(float)
    total = counts.sum(axis=1)
    if chest < voxels(_SMOOTH_MM) or not total.any():
        return middle
    centres = np.where(total > 0, counts @ np.arange(counts.shape[1]) / np.maximum(total, 1), middle[0])
    smooth = ndimage.gaussian_filter1d(centres, voxels(_SMOOTH_MM) / 2, mode="nearest")
    return np.r_[smooth, middle[chest:]]


def _cut_groins(survey: _Survey, central: np.ndarray, found: np.ndarray, top: int, division: Division) -> None:
    """``found``: the votes of the slices up to ``top``."""
    assert division.middle is not None
    scene, thighs = survey.scene, change(found)
    femora_mm = _femora_mm(survey.bones, found, thighs, division.middle)
    ischia = ischia_level(scene, central, division.middle, top, **femora_mm)
    if ischia is not None and _limbs_below(found, ischia):
        level: float | None = ischia
    elif thighs * STEP_MM > _LEGS_MM:
        level = thighs + _TROCHANTER_MM / STEP_MM
        division.doubt(_POOR, TRUNK, LEGS)
        division.warnings.append("the lower end of the pelvis was not found: the border of trunk and legs is a guess")
    else:
        level = femoral_heads_level(scene, central, division.middle, top)
        division.doubt(_FAIR if level is not None else _SURE, LEGS)
    if level is not None:
        division.parts[below_groins(scene, division.middle, level) & central] = LEGS


def _femora_mm(bones: Bones, found: np.ndarray, thighs: int, middle: np.ndarray) -> dict[str, float]:
    """The distances of the femora from the middle line at the upper end of the thighs; empty where none are in view."""
    near = (bones.z >= thighs - voxels(_THIGH_MM)) & (bones.z < thighs) & (bones.area > _FEMUR_CM2)
    near &= found[np.minimum(bones.z, len(found) - 1)] == LIMB
    aside = np.abs(bones.x - middle[bones.z])[near] * STEP_MM
    aside = aside[(aside > _FEMORA_MM[0]) & (aside < _FEMORA_MM[1])]
    return {"femora_mm": float(np.median(aside))} if aside.size else {}


def _limbs_below(found: np.ndarray, level: int) -> bool:
    """Whether there are votes below a slice, and most of them for limbs."""
    known = found[:level][found[:level] != UNKNOWN]
    return known.size >= _LEAST_VOTES and bool(np.mean(known < 0) > _AGREE)


def _divide_by_bones(survey: _Survey, division: Division) -> None:
    scene, sections, bones = survey.scene, survey.sections, survey.bones
    everything = np.ones(len(sections.area), dtype=bool)
    found = votes(scene, sections, bones, everything)
    lowest = change(found)
    trunk = np.flatnonzero(found[lowest:] == TRUNK_VOTE) + lowest
    if trunk.size < 3:
        _name_limbs(scene, sections, bones, division)
        return
    division.warnings.append("neither lungs nor brain are in view: the districts are determined from the bones alone")
    main = np.array([_largest(sections, int(z)) for z in trunk])
    if np.median(sections.cut[main]) >= _WHOLE:
        _divide_crop(survey, found, lowest, division)
        return
    purity = (np.sum(found[lowest:] == TRUNK_VOTE) + np.sum(found[:lowest] < 0)) / len(found)
    division.doubt(_FAIR if purity > _PURE else _POOR, *NAMES)
    if np.median(sections.area[main]) < _NECK_CM2:
        division.parts[division.parts > 0] = HEAD
        return
    _divide_pelvis(survey, found, trunk, main, division)


def _divide_crop(survey: _Survey, found: np.ndarray, lowest: int, division: Division) -> None:
    """A view whose sides cut the body all around. ``found``: the votes; from ``lowest`` on they are for the trunk."""
    scene = survey.scene
    division.warnings.append("the field of view cuts the body on all sides: the districts are a guess")
    hip = find_hip(scene, survey.bones, found, lowest)
    if hip is None:
        division.doubt(_GUESS, *NAMES)
        return
    division.doubt(_CROPPED_HIP if hip.seen else _POOR, *NAMES)
    middle = np.full(len(scene.body), hip.middle)
    division.parts[below_groins(scene, middle, hip.level) & scene.body] = LEGS


def _divide_pelvis(survey: _Survey, found: np.ndarray, trunk: np.ndarray, main: np.ndarray, division: Division) -> None:
    """``found``: the votes; ``trunk``: the slices that vote for it; ``main``: their largest sections."""
    scene, sections = survey.scene, survey.sections
    start = int(sections.area[main].argmax())
    seeds = np.zeros(len(sections.area), dtype=bool)
    seeds[main[start]] = True
    middle = np.full(len(scene.body), float(np.median(sections.x[main])))
    anchor = Anchor(int(trunk[start]), seeds, middle, chest=int(trunk[start]), vertex=len(scene.body))
    central = central_sections(scene, sections, anchor)
    arms = _take_arms(survey, central, anchor, division, bare=False)
    _cut_groins(survey, scene.body & ~arms, found, int(trunk[-1]), division)
    division.parts[arms] = ARMS


def _largest(sections: Sections, z: int) -> int:
    numbers = sections.numbers(z)
    return int(numbers[sections.area[numbers].argmax()])


def _name_limbs(scene: Scene, sections: Sections, bones: Bones, division: Division) -> None:
    limbs, scores = limb_scores(scene, sections, bones)
    names = np.where(scores >= 0, LEGS, ARMS).astype(np.uint8)
    names[0] = 0
    division.parts[:] = names[limbs]
    volumes = np.bincount(limbs.ravel(), minlength=len(scores)) * scene.grid.voxel_ml
    for part in (ARMS, LEGS):
        mine = np.flatnonzero((names == part) & (volumes > 0))
        if mine.size:
            clearness = np.average(np.abs(scores[mine]), weights=volumes[mine])
            division.doubt(float(np.clip(0.25 + 0.2 * clearness, 0.25, 0.85)), part)
    division.warnings.append(
        "only limbs are in view: arms and legs are distinguished by the thickness of bones and flesh"
    )
    gas = ndimage.binary_erosion(scene.body, ball(_SKIN_MM)) & (scene.coarse.hu < _GAS_HU)
    if np.count_nonzero(gas) * scene.grid.voxel_ml > _GAS_ML:
        _name_neck(scene, sections, division)
        return
    for index in np.flatnonzero((np.abs(scores) < _CLEAR) & (volumes > 0) & (names > 0)):
        division.warnings.append(
            f"a limb of {volumes[index]:.0f} ml may be arm or leg: it was taken for {NAMES[int(names[index])]}"
        )


def _name_neck(scene: Scene, sections: Sections, division: Division) -> None:
    """Limbs contain no gas: it is a neck, perhaps with shoulders, or a part of the trunk."""
    for z in np.flatnonzero(scene.body.any(axis=(1, 2))):
        neck = sections.area[_largest(sections, int(z))] < _NECK_CM2
        division.parts[z][scene.body[z]] = HEAD if neck else TRUNK
    division.doubt(_GUESS, *NAMES)
    division.warnings = ["there is gas inside, but neither lungs nor brain are in view: head and trunk are a guess"]


def _drop_fragments(scene: Scene, parts: np.ndarray) -> None:
    """Small fragments of a part get the district around them, in place."""
    fragments = np.zeros(parts.shape, dtype=bool)
    for part in NAMES:
        pieces, _ = ndimage.label(parts == part)
        sizes = np.bincount(pieces.ravel()) * scene.grid.voxel_ml
        sizes[0] = 0
        fragments |= ((sizes > 0) & (sizes < min(_FRAGMENT_ML, sizes.max())))[pieces]
    if fragments.any():
        nearest = ndimage.distance_transform_edt((parts == 0) | fragments, return_distances=False, return_indices=True)
        parts[fragments] = parts[tuple(index[fragments] for index in nearest)]
