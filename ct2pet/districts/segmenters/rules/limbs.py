"""Limbs without the trunk in view: arms or legs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ct2pet.districts.segmenters.rules.bones import Bones
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.districts.segmenters.rules.sections import Sections

_LEAST_ML = 8.0
_SHAFT_CM2, _SHAFT_SPREAD_CM2 = 5.6, 1.2  # humeri have 3.5 to 5, femora 6 to 11, marrow and blur included
_FLESH_CM2, _FLESH_SPREAD = 85.0, 1.5  # between upper arms and thighs, between forearms and calves; a factor
_SLIM_MM = 48.0
_CALF, _FOREARM = 0.4, 0.5  # the smaller of two bones as a share of the larger
_CLEAR = 1.0
_MOST = 1.5
_EQUAL = 0.5
_HAND = 0.2  # of a thigh's section


def limb_scores(scene: Scene, sections: Sections, bones: Bones) -> tuple[np.ndarray, np.ndarray]:
    """The limbs, numbered from 1 (Z, Y, X), and a score for each (index 0 stands for none): above 0 it is a leg, below
    0 an arm; between -1 and 1 it is uncertain."""
    limbs = _chains(scene, sections)
    volumes = np.bincount(limbs.ravel()) * scene.grid.voxel_ml
    scores = np.zeros(len(volumes))
    for index in np.flatnonzero(volumes[1:] > 0) + 1:
        scores[index] = _score(sections, bones, np.unique(sections.labels[limbs == index]))
    if len(scores) > 2:
        _compare(limbs, scores, volumes, sections)
    return limbs, scores


def _chains(scene: Scene, sections: Sections) -> np.ndarray:
    """Sections that continue each other from slice to slice, without lateral connections; small pieces get the nearest
    limb."""
    labels = sections.labels
    inner = scene.body.copy()
    for axis in (1, 2):
        for shift in (1, -1):
            other = np.roll(labels, shift, axis=axis)
            inner &= (other == labels) | (other == 0)
    chains, _ = ndimage.label(inner)
    volumes = np.bincount(chains.ravel()) * scene.grid.voxel_ml
    kept = volumes > min(_LEAST_ML, volumes[1:].max(initial=0) / 2)
    kept[0] = False
    _, packed = np.unique(np.where(kept, np.arange(len(kept)), 0), return_inverse=True)
    chains = packed[chains]
    if not chains.any():
        return scene.body.astype(int)
    nearest = ndimage.distance_transform_edt(chains == 0, return_distances=False, return_indices=True)
    return np.where(scene.body, chains[tuple(nearest)], 0)


def _score(sections: Sections, bones: Bones, numbers: np.ndarray) -> float:
    numbers = numbers[numbers > 0]
    shafts, doubles = [], []
    for number in numbers:
        rows = np.flatnonzero(bones.section == number)
        sizes = np.sort(bones.area[rows])[::-1]
        if rows.size not in (1, 2) or bones.extent[rows].max() > _SLIM_MM:
            continue
        if rows.size == 2:
            doubles.append(sizes[1] / sizes[0])
        elif not bones.cut[rows].any() or sizes[0] > _SHAFT_CM2:  # the least thickness of a bone that is cut
            shafts.append(sizes[0])
    score = 0.0
    if len(shafts) > len(numbers) / 6:
        score += float(np.clip((np.median(shafts) - _SHAFT_CM2) / _SHAFT_SPREAD_CM2, -_MOST, _MOST))
    if len(doubles) > len(numbers) / 6:
        ratio = float(np.median(doubles))
        score += _CLEAR if ratio < _CALF else -_CLEAR if ratio > _FOREARM else 0.0
    flesh = np.log(np.percentile(sections.area[numbers], 75) / _FLESH_CM2) / np.log(_FLESH_SPREAD)
    cut = np.median(sections.cut[numbers]) > 0
    return score + float(np.clip(flesh, 0.0 if cut else -_MOST, _MOST))


def _compare(limbs: np.ndarray, scores: np.ndarray, volumes: np.ndarray, sections: Sections) -> None:
    """Limbs beside each other, in place: one that is far thinner than a whole limb beside it is a hand beside a thigh;
    otherwise a limb that cannot be identified alone has the district of the largest one."""
    largest = int(volumes[1:].argmax()) + 1
    thick = (limbs == largest).sum(axis=(1, 2))
    for index in np.flatnonzero(volumes[1:] > 0) + 1:
        if index == largest:
            continue
        mine = (limbs == index).sum(axis=(1, 2))
        both = (mine > 0) & (thick > 0)
        whole = np.median(sections.cut[np.unique(sections.labels[limbs == index])]) == 0
        if both.any() and whole and np.median(mine[both] / thick[both]) < _HAND:
            scores[index] = min(scores[index], -_CLEAR)
        elif abs(scores[index]) < _CLEAR:
            scores[index] += _EQUAL * np.sign(scores[largest])
