"""From patient millimetres to the reference body (1700 mm tall, standing on z = 0) in which all anatomy is defined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ct2pet.phantom.patient import REFERENCE_HEIGHT_MM, Patient
from ct2pet.volume import Grid

CROTCH, VERTEX, MID_THIGH, SKULL_BASE = 810.0, REFERENCE_HEIGHT_MM, 640.0, 1612.0
"""Landmarks (reference mm above the soles). The usual "skull base" field starts above the eyes."""
DIAPHRAGM, DIAPHRAGM_REACH = 1170.0, 170.0
"""The height at which breathing moves organs most, and the distance from it beyond which nothing moves."""


@dataclass(frozen=True)
class Frame:
    """The patient's proportions as curves along each axis (arrays in, arrays out; mm)."""

    patient: Patient

    def z_to_reference(self, z: np.ndarray) -> np.ndarray:
        """Reference height of ``z`` (patient mm): legs and trunk scale differently."""
        return np.interp(z, *self._landmarks()).astype(np.float32)

    def z_from_reference(self, z: np.ndarray | float) -> np.ndarray:
        """The inverse of ``z_to_reference``."""
        mine, reference = self._landmarks()
        return np.interp(z, reference, mine)

    def _landmarks(self) -> tuple[np.ndarray, np.ndarray]:
        scale = self.patient.height_mm / REFERENCE_HEIGHT_MM
        crotch = CROTCH * scale * self.patient.leg_share
        top = self.patient.height_mm
        slope = (top - crotch) / (VERTEX - CROTCH)
        reference = np.array([-1000.0, 0.0, CROTCH, VERTEX, VERTEX + 1000.0])
        mine = np.array([-1000.0 * crotch / CROTCH, 0.0, crotch, top, top + 1000.0 * slope])
        return mine, reference

    def axes(self, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y, z (reference mm, 1D, ascending) of the voxels of an axis-parallel grid in patient mm."""
        x, y, z = (grid.origin[i] + np.arange(grid.shape[2 - i]) * grid.spacing[2 - i] for i in range(3))
        return self.to_reference(x, y, z)

    def to_reference(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Patient mm to reference mm, axis by axis."""
        x = np.asarray(x, dtype=np.float32) / np.float32(self.patient.width)
        y = np.asarray(y, dtype=np.float32) / np.float32(self.patient.depth)
        return x, y, self.z_to_reference(np.asarray(z))

    def moved(self, z: np.ndarray, breath_mm: float) -> np.ndarray:
        """The position (reference z) before the diaphragm rose by ``breath_mm`` of what is at ``z`` after it.

        The shift fades like a raised cosine: zero from ``DIAPHRAGM_REACH`` on. Because of breathing between CT and PET
        lesions near the diaphragm are mislocated (Osman MM et al., J Nucl Med 2003;44:240-243).
        """
        distance = np.clip(np.abs(z - DIAPHRAGM) / DIAPHRAGM_REACH, 0, 1)
        return (z - breath_mm * 0.5 * (1 + np.cos(np.pi * distance))).astype(np.float32)

    def axial_range(self) -> tuple[float, float]:
        """Lowest and highest z (patient mm) of the patient's field of view."""
        if self.patient.field_of_view == "whole":
            return -16.0, self.patient.height_mm + 20.0
        return float(self.z_from_reference(MID_THIGH)), float(self.z_from_reference(SKULL_BASE))
