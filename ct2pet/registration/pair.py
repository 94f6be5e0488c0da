"""A PET and a CT, prepared for a registration, and their mutual information."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import SimpleITK as sitk

from ct2pet.errors import GeometryError
from ct2pet.resampling import to_itk
from ct2pet.volume import Volume

NUM_AXES = 6
SEED = 12345
_COARSE_MM = 4.0
_LEAST_VOXELS = 4  # along each axis, for ITK's recursive Gaussian
_PET_SIGMA_MM = 2.5  # 6 mm FWHM. The CT is smoothed so, too: where slices coincide, sharp ones fit too well
_CT_WINDOW_HU = (-1000.0, 200.0)
_PET_WINDOW_SUV = (0.0, 8.0)
_BINS = 32
_SAMPLES = 40_000
_START_MM, _START_RAD = 12.0, math.radians(6.0)  # where the coarse search begins, around the grid as it is
_SAME_MM, _SAME_RAD = 2.0, math.radians(2.0)  # what is no nearer is another place
_REFINED = 3  # places of the coarse search that are looked at closely
_PROBES_MM = 6.0  # around the grid as it is, for the estimate
_PROBES_RAD = math.radians(2.0)


class Pair:
    """The two images, prepared for the registration, and the metric between them.

    Parameters: three angles (rad) and three shifts (mm, x, y, z) of the PET, about the centre of the common region.
    """

    def __init__(self, ct_hu: Volume, pet_suv: Volume) -> None:
        (low, high), (other_low, other_high) = ct_hu.grid.bounds, pet_suv.grid.bounds
        low, high = np.maximum(low, other_low), np.minimum(high, other_high)
        if (high - low < 4 * _COARSE_MM).any():
            raise GeometryError("CT and PET show no common region that could be registered")
        self.centre = (low + high) / 2
        self.corners = np.array(
            [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        )
        self.pet = _prepared(pet_suv, _PET_WINDOW_SUV, root=True)
        ct = _prepared(ct_hu, _CT_WINDOW_HU)
        if min(*self.pet.GetSize(), *ct.GetSize()) < _LEAST_VOXELS:
            raise GeometryError(f"CT or PET has fewer than {_LEAST_VOXELS} voxels along an axis: too few to register")
        self.ct = sitk.SmoothingRecursiveGaussian(ct, _PET_SIGMA_MM)
        self._weights = [1.0] * NUM_AXES
        self._kept: dict[float, tuple[sitk.Image, sitk.Image]] = {0.0: (self.pet, self.ct)}

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

    def optimise(self, free: Sequence[int] = range(NUM_AXES)) -> np.ndarray:
        """The best place that can be reached along the ``free`` axes from here or from around here."""
        self._weights = [float(axis in free) for axis in range(NUM_AXES)]
        coarse = sorted((self._climb(start, 4, 8.0, 4.0) for start in _starts(free)), key=lambda found: -found[0])
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
        method.SetSmoothingSigmasPerLevel([0.0])
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=step,
            minStep=0.01,
            numberOfIterations=150,
            relaxationFactor=0.7,
            gradientMagnitudeTolerance=1e-7,
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetOptimizerWeights(self._weights)
        try:
            method.Execute(*self._smoothed(sigma_mm))
        except RuntimeError:  # the PET has left the CT
            return -math.inf, start
        return -method.GetMetricValue(), np.array(transform.GetParameters())

    def _smoothed(self, sigma_mm: float) -> tuple[sitk.Image, sitk.Image]:
        """PET and CT, smoothed once for all climbs."""
        if sigma_mm not in self._kept:
            pet, ct = (sitk.SmoothingRecursiveGaussian(image, sigma_mm) for image in (self.pet, self.ct))
            self._kept[sigma_mm] = (pet, ct)
        return self._kept[sigma_mm]

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
        method.SetMetricSamplingPercentage(share, SEED)
        method.SetInterpolator(sitk.sitkLinear)
        return method


def _starts(free: Sequence[int]) -> Iterator[np.ndarray]:
    """No motion, and each of the ``free`` motions alone, both ways."""
    steps = (_START_RAD,) * 3 + (_START_MM,) * 3
    yield np.zeros(NUM_AXES)
    for axis in free:
        for sign in (-1, 1):
            yield sign * steps[axis] * np.eye(NUM_AXES)[axis]


def _different(places: list[np.ndarray]) -> list[np.ndarray]:
    """Without those that lie where an earlier one does."""
    kept: list[np.ndarray] = []
    for place in places:
        if not any(np.allclose(place, other, rtol=0, atol=(_SAME_RAD,) * 3 + (_SAME_MM,) * 3) for other in kept):
            kept.append(place)
    return kept


def estimate(pair: Pair) -> float:
    """How far (mm) the PET seems to lie from its place, by parabolas through the mutual information around it."""
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
