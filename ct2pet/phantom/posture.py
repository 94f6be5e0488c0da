"""Other bodies than the reference: bent spines, amputations, and patients on their side. All functions change label
maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ct2pet.phantom.patient import Patient
from ct2pet.volume import Grid, Volume

_SCOLIOSIS = (900.0, 1400.0)  # reference mm: where the curve begins and ends
_KYPHOSIS = (1150.0, 1450.0)  # its lower end, and the height above which the displacement is constant
_STUMP_MM = {"left thigh": 640.0, "left forearm": 960.0}  # reference mm: everything below is removed
_STUMP_ASIDE_MM = {"left thigh": 0.0, "left forearm": 186.0}


def bend(labels: np.ndarray, grid: Grid, patient: Patient, z: np.ndarray) -> None:
    """Bend a body in place (Z, Y, X; ``z``: reference mm of its slices), slice by slice and by whole voxels: to the
    left as a half sine of ``scoliosis_mm``, and to the front by up to ``kyphosis_mm``."""
    along = np.clip((z - _SCOLIOSIS[0]) / (_SCOLIOSIS[1] - _SCOLIOSIS[0]), 0, 1)
    up = np.clip((z - _KYPHOSIS[0]) / (_KYPHOSIS[1] - _KYPHOSIS[0]), 0, 1)
    columns = np.rint(patient.scoliosis_mm * np.sin(np.pi * along) / grid.spacing[2]).astype(int)
    rows = np.rint(-patient.kyphosis_mm * up**2 * (3 - 2 * up) / grid.spacing[1]).astype(int)
    for k in np.flatnonzero((rows != 0) | (columns != 0)):
        labels[k] = _moved(labels[k], int(rows[k]), int(columns[k]))


def amputate(labels: np.ndarray, patient: Patient, x: np.ndarray, z: np.ndarray) -> None:
    """Remove, in place, the amputated part (``x``, ``z``: reference mm of columns and slices)."""
    if patient.amputated:
        lost = (z < _STUMP_MM[patient.amputated])[:, None] & (x > _STUMP_ASIDE_MM[patient.amputated])[None]
        labels[np.broadcast_to(lost[:, None], labels.shape)] = 0


def lying_on_the_side(volume: Volume, drop_mm: float = 0.0) -> Volume:
    """The labels of a patient who lies on the right side (decubitus) instead of the back, moved towards the couch by
    ``drop_mm``; the in-plane matrix must be square."""
    turned = np.ascontiguousarray(np.rot90(volume.array, axes=(1, 2)))
    rows = round(drop_mm / volume.grid.spacing[1])
    return replace(volume, array=np.stack([_moved(axial, rows, 0) for axial in turned]))


def _moved(axial: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A slice moved by whole voxels; voxels from outside are 0."""
    moved = np.zeros_like(axial)
    to = tuple(slice(max(0, step), n + min(0, step)) for step, n in zip((rows, columns), axial.shape))
    of = tuple(slice(max(0, -step), n - max(0, step)) for step, n in zip((rows, columns), axial.shape))
    moved[to] = axial[of]
    return moved
