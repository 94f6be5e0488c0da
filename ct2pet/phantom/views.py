"""Parts of a patient, as in CTs of one region."""

from __future__ import annotations

import numpy as np

from ct2pet.errors import DatasetError
from ct2pet.phantom.frame import MID_THIGH, SKULL_BASE, Frame
from ct2pet.phantom.patient import Patient
from ct2pet.phantom.surfaces import DISTRICTS
from ct2pet.volume import Box, Volume

_ENDS = {
    "whole": (-1000.0, 3000.0),
    "skull base to mid-thigh": (MID_THIGH, SKULL_BASE),
    "head": (1465.0, 3000.0),
    "head and shoulders": (1340.0, 3000.0),
    "chest": (1130.0, 1480.0),
    "trunk": (800.0, 1450.0),
    "abdomen and pelvis": (790.0, 1110.0),
    "pelvis to toes": (-1000.0, 1000.0),
    "legs": (-1000.0, 770.0),
    "narrow": (MID_THIGH, SKULL_BASE),
    "one thigh": (520.0, 750.0),
    "neck slab": (1345.0, 1520.0),
    "left half of the chest": (1130.0, 1420.0),
    "left shoulder": (1240.0, 1460.0),
    "heart": (1150.0, 1330.0),
    "left hip": (720.0, 940.0),
    "one knee": (410.0, 590.0),
}
"""From and to (reference mm above the soles)."""
_COLUMNS = {
    "narrow": (-210.0, 210.0),
    "one thigh": (0.0, np.inf),
    "neck slab": (-130.0, 130.0),
    "left half of the chest": (10.0, np.inf),
    "left shoulder": (70.0, np.inf),
    "heart": (-90.0, 120.0),
    "left hip": (5.0, 200.0),
    "one knee": (0.0, np.inf),
}
_ALL = (-np.inf, np.inf)
_ROWS = {"heart": (-110.0, 40.0), "left hip": (-110.0, 90.0)}
"""Sides from right to left, and from front to back (patient mm), of the views that cut the body."""
VIEWS = (*_ENDS, "one arm")


def view(patient: Patient, districts: Volume, name: str) -> Box:
    """The box of voxels that the view ``name`` (of ``VIEWS``) shows of a patient who was scanned from head to toe.

    ``districts`` is the map of the whole scan (axis-parallel, in patient mm). "narrow" is a field of view of 420 mm;
    "one thigh", "one knee" and "one arm" contain only the left one. Raises DatasetError for another name, and where no
    box contains the arm without the trunk.
    """
    if name == "one arm":
        return _one_arm(districts.array)
    if name not in _ENDS:
        raise DatasetError(f"the phantom has no view {name!r}; it has {', '.join(VIEWS)}")
    grid = districts.grid
    z, y, x = (grid.origin[i] + np.arange(grid.shape[2 - i]) * grid.spacing[2 - i] for i in (2, 1, 0))
    low, high = (float(Frame(patient).z_from_reference(end)) for end in _ENDS[name])
    spans = ((z, (low, high)), (y, _ROWS.get(name, _ALL)), (x, _COLUMNS.get(name, _ALL)))
    return _box(*(np.flatnonzero((axis > first) & (axis < last)) for axis, (first, last) in spans))


def _box(slices: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Box:
    first, last = zip(*((int(index[0]), int(index[-1]) + 1) for index in (slices, rows, columns)))
    return Box(first, last)


def _one_arm(districts: np.ndarray) -> Box:
    """The middle half of the left arm, if a box contains it without the trunk."""
    half = districts.shape[2] // 2
    heights = np.flatnonzero((districts[:, :, half:] == DISTRICTS["arms"]).any(axis=(1, 2)))
    slices = heights[len(heights) // 4 : -len(heights) // 4]
    part = districts[slices[0] : slices[-1] + 1]
    others = np.flatnonzero(((part > 0) & (part != DISTRICTS["arms"])).any(axis=(0, 1)))
    first = int(others[-1]) + 1 if others.size else half
    if not (part[:, :, first:] > 0).any():
        raise DatasetError("the arm is too near to the trunk for a separate view")
    return _box(slices, np.arange(districts.shape[1]), np.arange(first, districts.shape[2]))
