"""The patient's position. The rules are made for supine patients; a prone or lateral body is turned first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import STEP_MM, Coarse

_TRUNK_CM2 = 300.0  # no head and no single thigh is so large
_SLICES = 15
_CUT = 0.25  # of the outline of a section: a section that the sides of the view cut more has no useful shape
_SPINE_MM = 10.0  # least distance of the bones of a trunk behind its middle; 20 mm is usual
_UPRIGHT = 1.05  # on the side, the section of a trunk is higher than wide


def quarter_turns(coarse: Coarse) -> int:
    """By how many quarter turns (numpy.rot90 in the axial plane) the body must be turned to be supine; 0 where it is,
    or without a trunk. Determined by the position of the bones in axial sections of the trunk, and by the shape of
    these sections."""
    ratios, offsets = [], []
    for body, dense in zip(coarse.body, coarse.dense):
        parts, count = ndimage.label(body)
        if not count:
            continue
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        if sizes.max() * STEP_MM**2 / 100 < _TRUNK_CM2:
            continue
        section = np.argwhere(parts == sizes.argmax())
        weights = dense[tuple(section.T)]
        at_side = np.count_nonzero((section == 0) | (section == np.array(body.shape) - 1))
        if weights.sum() > 0 and at_side < _CUT * np.sqrt(4 * np.pi * len(section)):
            height, width = np.ptp(section, axis=0) + 1
            ratios.append(height / width)
            offsets.append(np.average(section, axis=0, weights=weights) - section.mean(axis=0))
    if len(ratios) < _SLICES:
        return 0
    back, left = np.median(offsets, axis=0) * STEP_MM
    if abs(left) > max(abs(back), _SPINE_MM) and np.median(ratios) > _UPRIGHT:
        return 3 if left > 0 else 1
    return 2 if -back > max(abs(left), _SPINE_MM) and np.median(ratios) < 1 else 0


def turned(coarse: Coarse, turns: int) -> Coarse:
    """The same body after quarter turns in the axial plane; the grid keeps its origin."""
    hu, dense, seen, body = (
        np.ascontiguousarray(np.rot90(array, turns, axes=(1, 2)))
        for array in (coarse.hu, coarse.dense, coarse.seen, coarse.body)
    )
    return Coarse(hu, dense, seen, body, replace(coarse.grid, shape=hu.shape))  # type: ignore[arg-type]
