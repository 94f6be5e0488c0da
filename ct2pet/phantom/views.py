"""Parts of a patient, as CTs of one region show them."""

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
}
"""From and to (reference mm above the soles)."""
_NARROW_MM = 210.0
VIEWS = (*_ENDS, "one arm")


def view(patient: Patient, districts: Volume, name: str) -> Box:
    """The box of voxels that the view ``name`` (of ``VIEWS``) shows of a patient who was scanned from head to toe.

    ``districts`` is the map of the whole scan (axis-parallel, in patient mm). "narrow" is a field of view of 420 mm,
    "one thigh" and "one arm" hold the left one alone. Raises DatasetError for another name, and where no box holds the
    arm without the trunk.
    """
    if name == "one arm":
        return _one_arm(districts.array)
    if name not in _ENDS:
        raise DatasetError(f"the phantom has no view {name!r}; it has {', '.join(VIEWS)}")
    grid = districts.grid
    z, _, x = (grid.origin[i] + np.arange(grid.shape[2 - i]) * grid.spacing[2 - i] for i in (2, 1, 0))
    low, high = (float(Frame(patient).z_from_reference(end)) for end in _ENDS[name])
    inside = np.abs(x) < _NARROW_MM if name == "narrow" else x > (0 if name == "one thigh" else -np.inf)
    return _box(np.flatnonzero((z >= low) & (z <= high)), np.flatnonzero(inside), grid.shape)


def _box(slices: np.ndarray, columns: np.ndarray, shape: tuple[int, int, int]) -> Box:
    return Box((int(slices[0]), 0, int(columns[0])), (int(slices[-1]) + 1, shape[1], int(columns[-1]) + 1))


def _one_arm(districts: np.ndarray) -> Box:
    """The middle half of the left arm, where it has a box of its own."""
    half = districts.shape[2] // 2
    heights = np.flatnonzero((districts[:, :, half:] == DISTRICTS["arms"]).any(axis=(1, 2)))
    slices = heights[len(heights) // 4 : -len(heights) // 4]
    part = districts[slices[0] : slices[-1] + 1]
    others = np.flatnonzero(((part > 0) & (part != DISTRICTS["arms"])).any(axis=(0, 1)))
    first = int(others[-1]) + 1 if others.size else half
    if not (part[:, :, first:] > 0).any():
        raise DatasetError("the arm lies too near to the trunk for a view of its own")
    return _box(slices, np.arange(first, districts.shape[2]), districts.shape)
