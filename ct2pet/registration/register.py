"""Where a PET fits the CT, and along which axes that can be determined."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ct2pet.registration.pair import NUM_AXES, Pair, estimate
from ct2pet.registration.result import ALIGNED, AXES, IMPLAUSIBLE, MOVED, UNCLEAR, Registration
from ct2pet.registration.sharpness import PointwiseInformation
from ct2pet.volume import Volume

LARGEST_SHIFT_MM = 30.0
LARGEST_ANGLE_DEG = 10.0
LEAST_GAIN = 0.02  # of the mutual information: less is noise, see benchmarks/registration.py
LEAST_GAIN_SD = 3.0  # of the gain over its standard deviation
LEAST_MOVE = 0.5  # of a PET voxel: less is not worth a change
SHARP_MM = 0.8  # the standard deviation of a sharp optimum, see benchmarks/registration.py


def estimate_misalignment(ct_hu: Volume, pet_suv: Volume) -> float:
    """How far (mm) the PET seems to lie from where it fits the CT: the peak of parabolas through the mutual information
    at small shifts and turns. Quick, and enough to tell whether a registration is worth its time."""
    return estimate(Pair(ct_hu, pet_suv))


def register(ct_hu: Volume, pet_suv: Volume, *, always: bool = True) -> Registration:
    """Find the rigid transform that takes the PET (Z, Y, X, SUV) to the CT (Z, Y, X, HU), along the axes whose optimum
    is sharp; the PET is left on the others.

    Without ``always`` only where the PET lies half a voxel or more away by the estimate. Raises GeometryError
    where the images show no common region.
    """
    pair = Pair(ct_hu, pet_suv)
    least_mm, distance = LEAST_MOVE * max(pet_suv.grid.spacing), estimate(pair)
    found = _Found(pair, np.zeros(NUM_AXES), pair.metric(np.zeros(NUM_AXES)), distance, least_mm)
    if always or distance >= least_mm:
        found.search()
    return found.registration()


@dataclass
class _Found:
    """``parameters``: the place, as Pair defines it. ``free``: the axes that it was searched along."""

    pair: Pair
    parameters: np.ndarray
    before: float
    estimate_mm: float
    least_mm: float
    free: list[int] = field(default_factory=lambda: list(range(NUM_AXES)))
    deviations: dict[str, float] = field(default_factory=dict)
    gain_sd: float | None = None

    def search(self) -> None:
        """Search along all axes, then again along those alone that are sharp where that led."""
        information, everything = PointwiseInformation(self.pair), range(NUM_AXES)
        place = self.pair.optimise()
        curvature = information.curvature(place)
        self.deviations = dict(zip(AXES, curvature.standard_deviations(everything).tolist()))
        self.free = curvature.sharp_axes(everything, SHARP_MM)
        if self.free and len(self.free) < NUM_AXES:
            found = curvature.standard_deviations(self.free)  # smaller than before: the others are fixed
            self.deviations |= {AXES[axis]: float(value) for axis, value in zip(self.free, found)}
            place = self.pair.optimise(self.free)
        if self.free and self.pair.metric(place) > self.before:
            self.parameters, self.gain_sd = place, information.gain_sd(place, np.zeros(NUM_AXES))

    def registration(self) -> Registration:
        matrix, corners = self.pair.matrix(self.parameters), self.pair.corners
        largest = float(np.linalg.norm(corners @ matrix[:3, :3].T + matrix[:3, 3] - corners, axis=1).max())
        shift = float(np.linalg.norm(self.parameters[3:]))
        angle = math.degrees(math.acos(np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1)))
        after = max(self.before, self.pair.metric(self.parameters))
        gain = after / self.before - 1 if self.before > 0 else 0.0
        outcome, reason = self._judge(shift, angle, largest, gain)
        left = tuple(name for axis, name in enumerate(AXES) if axis not in self.free)
        if left and self.free:
            said = "not moved along" if outcome == MOVED else "not judged"
            reason = f"{reason}; {said}: {', '.join(left)} (no sharp optimum)"
        places = tuple(map(tuple, matrix.tolist()))
        values = (shift, angle, largest, self.before, after, self.gain_sd, left, self.deviations, self.estimate_mm)
        return Registration(outcome, reason, places, *values)

    def _judge(self, shift: float, angle: float, largest: float, gain: float) -> tuple[str, str]:
        if not self.free:
            return UNCLEAR, "no axis has a sharp optimum: the images overlap too little or are too uniform; not moved"
        if gain < LEAST_GAIN:
            return ALIGNED, f"moving it would gain {100 * gain:.1f}% of mutual information only"
        if largest < self.least_mm:
            return ALIGNED, f"it lies {largest:.1f} mm away, less than half a voxel"
        if self.gain_sd is not None and self.gain_sd < LEAST_GAIN_SD:
            return ALIGNED, f"moving it would gain {self.gain_sd:.1f} standard deviations of mutual information only"
        if shift > LARGEST_SHIFT_MM or angle > LARGEST_ANGLE_DEG:
            return IMPLAUSIBLE, f"{shift:.0f} mm and {angle:.1f} degrees are too much for one examination; not moved"
        return MOVED, f"by {shift:.1f} mm and {angle:.1f} degrees"
