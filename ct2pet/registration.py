"""Rigid registration of a PET to the CT of the same patient, for pairs that did not come from one hardware.

Mattes' mutual information (Mattes et al. 2003, IEEE TMI 22:120), maximised over coarse and then finer images with
SimpleITK, from several beginnings. Sharp images whose grids coincide agree too well where they lie (Pluim et al. 2000,
CVIU 77:211): the CT is smoothed to the PET's resolution, and samples lie between the voxels. The PET is moved by a change of its grid; its voxels stay what they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from ct2pet.errors import GeometryError
from ct2pet.resampling import to_itk
from ct2pet.volume import Grid, Volume

LARGEST_SHIFT_MM = 30.0
LARGEST_ANGLE_DEG = 10.0
LEAST_GAIN = 0.02  # of the mutual information: less is noise, see benchmarks/registration.py
LEAST_MOVE = 0.5  # of a PET voxel: less is not worth a change
LEAST_EXTENT_MM = 250.0  # of the common region from foot to head: a piece of a limb fits in many places
_COARSE_MM = 4.0
_PET_SIGMA_MM = 2.5  # 6 mm FWHM. The CT is smoothed so, too: where slices coincide, sharp ones fit too well
_CT_WINDOW_HU = (-1000.0, 200.0)
_PET_WINDOW_SUV = (0.0, 8.0)
_BINS = 32
_SAMPLES = 40_000
_SEED = 12345
_START_MM, _START_RAD = 12.0, math.radians(6.0)  # where the coarse search begins, around the grid as it is
_SAME_MM, _SAME_RAD = 2.0, math.radians(2.0)  # what is no nearer is another place
_REFINED = 3  # places of the coarse search that are looked at closely
_PROBES_MM = 6.0  # around the grid as it is, for the estimate
_PROBES_RAD = math.radians(2.0)
ALIGNED, MOVED, IMPLAUSIBLE, UNCLEAR = "aligned", "moved", "implausible", "unclear"


@dataclass(frozen=True)
class Registration:
    """What was found. ``matrix``: 4x4, LPS mm, from where the PET lies to where it fits the CT.

    ``shift_mm``: how far the centre of the PET moves; ``angle_deg``; ``largest_mm``: how far a corner of the region
    that both images show moves. ``metric_before`` and ``metric_after``: mutual information in nats.
    ``outcome``: aligned (nothing to gain), moved, implausible (refused) or unclear (too little is common to judge).
    ``estimate_mm``: what the quick estimate said.
    """

    outcome: str
    reason: str
    matrix: tuple[tuple[float, ...], ...]
    shift_mm: float
    angle_deg: float
    largest_mm: float
    metric_before: float
    metric_after: float
    estimate_mm: float

    @property
    def gain(self) -> float:
        """Relative gain of mutual information."""
        return self.metric_after / self.metric_before - 1 if self.metric_before > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "gain": self.gain}


def estimate_misalignment(ct_hu: Volume, pet_suv: Volume) -> float:
    """How far (mm) the PET seems to lie from where it fits the CT: the peak of parabolas through the mutual information
    at small shifts and turns. Quick, and enough to tell whether a registration is worth its time."""
    return _estimate(_Pair(ct_hu, pet_suv))


def register(
    ct_hu: Volume, pet_suv: Volume, *, always: bool = True, least_extent_mm: float = LEAST_EXTENT_MM
) -> Registration:
    """Find the rigid transform that takes the PET (Z, Y, X, SUV) to the CT (Z, Y, X, HU).

    Without ``always`` only where the estimate says that the PET lies half a voxel or more away. Never where they have
    less than ``least_extent_mm`` from foot to head in common: a known motion of a piece of a limb is found again, but
    where a limb is alike all along, its place is not (benchmarks/registration.py). Raises GeometryError where the
    images show no common region.
    """
    pair, here = _Pair(ct_hu, pet_suv), np.zeros(6)
    estimate, before = _estimate(pair), pair.metric(here)
    least = LEAST_MOVE * max(pet_suv.grid.spacing)
    if pair.extent < least_extent_mm:
        result = _result(pair, here, before, before, estimate, least)
        reason = f"CT and PET have {pair.extent:.0f} mm from foot to head in common, too little to judge"
        return replace(result, outcome=UNCLEAR, reason=reason)
    if not always and estimate < least:
        return _result(pair, here, before, before, estimate, least)
    parameters = pair.optimise()
    after = pair.metric(parameters)
    if after <= before:
        parameters, after = here, before
    return _result(pair, parameters, before, after, estimate, least)


def moved(volume: Volume, registration: Registration) -> Volume:
    """The volume on the grid where it fits the CT: the same voxels, without resampling."""
    return Volume(volume.array, moved_grid(volume.grid, registration), volume.unit)


def moved_grid(grid: Grid, registration: Registration) -> Grid:
    return Grid.from_affine(grid.shape, np.array(registration.matrix) @ grid.affine)


def _result(
    pair: _Pair, parameters: np.ndarray, before: float, after: float, estimate: float, least: float
) -> Registration:
    matrix = pair.matrix(parameters)
    corners = pair.corners
    largest = float(np.linalg.norm(corners @ matrix[:3, :3].T + matrix[:3, 3] - corners, axis=1).max())
    shift = float(np.linalg.norm(parameters[3:]))
    angle = math.degrees(math.acos(np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1)))
    gain = after / before - 1 if before > 0 else 0.0
    outcome, reason = _judge(shift, angle, largest, gain, least)
    return Registration(
        outcome, reason, tuple(map(tuple, matrix.tolist())), shift, angle, largest, before, after, estimate
    )


def _judge(shift: float, angle: float, largest: float, gain: float, least: float) -> tuple[str, str]:
    if gain < LEAST_GAIN:
        return ALIGNED, f"moving it would gain {100 * gain:.1f}% of mutual information only"
    if largest < least:
        return ALIGNED, f"it lies {largest:.1f} mm away, less than half a voxel"
    if shift > LARGEST_SHIFT_MM or angle > LARGEST_ANGLE_DEG:
        return IMPLAUSIBLE, f"{shift:.0f} mm and {angle:.1f} degrees are too much for one examination"
    return MOVED, f"moved by {shift:.1f} mm and {angle:.1f} degrees"


class _Pair:
    """The two images as the registration sees them, and the metric between them.

    Parameters: three angles (rad) and three shifts (mm, x, y, z) of the PET, about the centre of the common region.
    """

    def __init__(self, ct_hu: Volume, pet_suv: Volume) -> None:
        (low, high), (other_low, other_high) = ct_hu.grid.bounds, pet_suv.grid.bounds
        low, high = np.maximum(low, other_low), np.minimum(high, other_high)
        if (high - low < 4 * _COARSE_MM).any():
            raise GeometryError("CT and PET show no common region that could be registered")
        self.centre, self.extent = (low + high) / 2, float(high[2] - low[2])
        self.corners = np.array(
            [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        )
        self.pet = _prepared(pet_suv, _PET_WINDOW_SUV, root=True)
        self.ct = sitk.SmoothingRecursiveGaussian(_prepared(ct_hu, _CT_WINDOW_HU), _PET_SIGMA_MM)

    def matrix(self, parameters: np.ndarray) -> np.ndarray:
        transform = self._transform(parameters)
        rotation = np.array(transform.GetMatrix()).reshape(3, 3)
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        matrix[:3, 3] = self.centre + parameters[3:] - rotation @ self.centre
        return matrix

    def metric(self, parameters: np.ndarray) -> float:
        """Mutual information (nats) with the PET moved."""
        method = self._method()
        method.SetInitialTransform(self._transform(parameters), inPlace=False)
        method.MetricUseMovingImageGradientFilterOff()  # a value needs no gradients, and they take long
        method.SetOptimizerAsExhaustive([0] * 6)  # MetricEvaluate takes other samples than the climb: all, on the grid
        try:
            method.Execute(self.pet, self.ct)
        except RuntimeError:  # too few samples lie in the CT
            return 0.0
        return -method.GetMetricValue()

    def optimise(self) -> np.ndarray:
        """The best place that can be reached from here or from around here: a limb fits nearly as well elsewhere."""
        coarse = sorted((self._climb(start, 4, 8.0, 4.0) for start in _starts()), key=lambda found: -found[0])
        if coarse[0][0] == -math.inf:
            raise GeometryError("CT and PET could not be registered: they have too little in common")
        best = _different([parameters for _, parameters in coarse])[:_REFINED]
        middle = [self._climb(parameters, 2, 4.0, 2.0)[1] for parameters in best]
        fine = [self._climb(parameters, 1, 0.0, 1.0)[1] for parameters in _different(middle)]
        return max(fine, key=self.metric)

    def _climb(self, start: np.ndarray, shrink: int, sigma_mm: float, step: float) -> tuple[float, np.ndarray]:
        """Mutual information and place where the gradient leads to, on images shrunk and smoothed."""
        method = self._method()
        transform = self._transform(start)
        method.SetInitialTransform(transform, inPlace=True)
        method.SetShrinkFactorsPerLevel([shrink])
        method.SetSmoothingSigmasPerLevel([sigma_mm])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=step,
            minStep=0.01,
            numberOfIterations=150,
            relaxationFactor=0.7,
            gradientMagnitudeTolerance=1e-7,
        )
        method.SetOptimizerScalesFromPhysicalShift()
        try:
            method.Execute(self.pet, self.ct)
        except RuntimeError:  # the PET has left the CT
            return -math.inf, start
        return -method.GetMetricValue(), np.array(transform.GetParameters())

    def _transform(self, parameters: np.ndarray) -> sitk.Euler3DTransform:
        transform = sitk.Euler3DTransform()
        transform.SetCenter(self.centre.tolist())
        transform.SetParameters(np.asarray(parameters, dtype=float).tolist())
        return transform

    def _method(self) -> sitk.ImageRegistrationMethod:
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(_BINS)
        share = min(1.0, _SAMPLES / self.pet.GetNumberOfPixels())
        method.SetMetricSamplingStrategy(method.RANDOM)  # between the voxels: on them, grids that coincide fit better
        method.SetMetricSamplingPercentage(share, _SEED)
        method.SetInterpolator(sitk.sitkLinear)
        return method


def _starts() -> Iterator[np.ndarray]:
    """No motion, and each of the six motions alone, both ways."""
    yield np.zeros(6)
    for axis, step in enumerate((_START_RAD,) * 3 + (_START_MM,) * 3):
        for sign in (-1, 1):
            yield sign * step * np.eye(6)[axis]


def _different(places: list[np.ndarray]) -> list[np.ndarray]:
    """Without those that lie where an earlier one does."""
    kept: list[np.ndarray] = []
    for place in places:
        if not any(np.allclose(place, other, rtol=0, atol=(_SAME_RAD,) * 3 + (_SAME_MM,) * 3) for other in kept):
            kept.append(place)
    return kept


def _estimate(pair: _Pair) -> float:
    here = pair.metric(np.zeros(6))
    peaks = np.zeros(6)
    for axis in range(6):
        step = _PROBES_RAD if axis < 3 else _PROBES_MM
        sides = []
        for sign in (-1, 1):
            parameters = np.zeros(6)
            parameters[axis] = sign * step
            sides.append(pair.metric(parameters))
        peaks[axis] = _peak(sides[0], here, sides[1]) * step
    matrix = pair.matrix(peaks)
    return float(np.linalg.norm(pair.corners @ matrix[:3, :3].T + matrix[:3, 3] - pair.corners, axis=1).mean())


def _peak(left: float, middle: float, right: float) -> float:
    """Where the parabola through values at -1, 0, 1 has its maximum, at most 2 away; uphill where it has none."""
    bend = left - 2 * middle + right
    slope = (right - left) / 2
    if bend >= 0:
        return 2.0 * np.sign(slope)
    return float(np.clip(-slope / bend, -2, 2))


def _prepared(volume: Volume, window: tuple[float, float], *, root: bool = False) -> sitk.Image:
    """The image within ``window``, at about 4 mm or its own coarser spacing."""
    image = sitk.Cast(to_itk(volume), sitk.sitkFloat32)
    image = sitk.Clamp(image, sitk.sitkFloat32, *window)
    if root:
        image = sitk.Sqrt(image)
    factors = [max(1, round(_COARSE_MM / size)) for size in image.GetSpacing()]
    return sitk.BinShrink(image, factors) if max(factors) > 1 else image
