"""2D slices of labelled cases: what classifiers and generators of single slices are trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import label

from ct2pet.errors import DatasetError
from ct2pet.imageio import read_volume
from ct2pet.resampling import AIR_HU, resample_part
from ct2pet.volume import Grid, Volume

KINDS = ("pet", "ct")
OUTSIDE = {"pet": 0.0, "ct": AIR_HU}
UNITS = {"pet": "SUV", "ct": "HU"}
DISPLAY_RANGE = {"pet": (0.0, 20.0), "ct": (-1000.0, 400.0)}
"""The fixed range of each kind, for metrics that need one."""
_SHOWN_PERCENTILE, _LEAST_SHOWN_SUV = 99.5, 1.0
_CT_MIDDLE, _CT_HALF_WIDTH = -300.0, 700.0


@dataclass(frozen=True)
class SliceOptions:
    """Squares of ``size_mm`` and ``pixels`` x ``pixels``; ``per_case`` axial slices of each case."""

    size_mm: float = 64.0
    pixels: int = 64
    per_case: int = 3


@dataclass(frozen=True)
class LabelledCase:
    """The files of one case: ``images`` by kind, its class (an index), and the mask of its lesions, if any."""

    case: str
    patient: str
    label: int
    images: Mapping[str, Path]
    lesions: Path | None = None


@dataclass(frozen=True)
class Slices:
    """Slices with the class and the patient of each.

    ``images``: float32 (N, C, Y, X) in the unit of each channel (SUV or HU); ``labels``: int64 (N,), indices of
    ``classes``; ``patients``: (N,) text; ``channels``: the kind of each channel, of ``KINDS``.
    """

    images: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    channels: tuple[str, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: np.ndarray) -> Slices:
        """The slices of an index or a mask."""
        return replace(self, images=self.images[index], labels=self.labels[index], patients=self.patients[index])

    def of_patients(self, patients: Iterable[str]) -> Slices:
        """All slices of these patients, in the present order."""
        return self.take(np.isin(self.patients, sorted(patients)))

    def patient_labels(self) -> dict[str, int]:
        """The class of each patient, in alphabetical order of the patients."""
        names, first = np.unique(self.patients, return_index=True)
        return {str(name): int(self.labels[index]) for name, index in zip(names, first)}

    def joined(self, images: np.ndarray, labels: np.ndarray, patient: str) -> Slices:
        """With further ``images`` (N, C, Y, X) in the same units, all of one ``patient`` (a name for their origin)."""
        return replace(
            self,
            images=np.concatenate([self.images, images.astype(np.float32)]),
            labels=np.concatenate([self.labels, labels.astype(np.int64)]),
            patients=np.concatenate([self.patients, np.full(len(images), patient)]),
        )


def read_slices(cases: Sequence[LabelledCase], classes: Sequence[str], options: SliceOptions) -> Slices:
    """The slices of ``cases`` (all with the same kinds of images).

    Raises DatasetError without cases, and ImageError or DatasetError, naming the file, where one cannot be used.
    """
    if not cases:
        raise DatasetError("no cases to take slices from")
    channels = tuple(kind for kind in KINDS if kind in cases[0].images)
    parts = [_slices_of(case, channels, options) for case in cases]
    counts = [len(part) for part in parts]
    return Slices(
        np.concatenate(parts),
        np.repeat(np.array([case.label for case in cases], dtype=np.int64), counts),
        np.repeat(np.array([case.patient for case in cases]), counts),
        channels,
        tuple(classes),
    )


def _slices_of(case: LabelledCase, channels: Sequence[str], options: SliceOptions) -> np.ndarray:
    volumes = {kind: read_volume(case.images[kind], UNITS[kind]) for kind in channels}
    lesions = None if case.lesions is None else read_volume(case.lesions, "label")
    try:
        return lesion_slices(volumes, lesions, options)
    except DatasetError as error:
        raise DatasetError(f"{case.lesions}: {error}") from None


def lesion_slices(volumes: Mapping[str, Volume], lesions: Volume | None, options: SliceOptions) -> np.ndarray:
    """float32 (per_case, C, Y, X): axial squares around the largest lesion, evenly spaced from its lowest to its
    highest slice, resampled in patient space (trilinear). Rows run to the back, columns to the patient's left.

    Without ``lesions`` the squares lie around the middle of the first volume, within the middle tenth of its height.
    Raises DatasetError where the mask is empty.
    """
    first = next(iter(volumes.values()))
    centre, height = _middle(first.grid) if lesions is None else _largest_lesion(lesions)
    gap = height / options.per_case
    pixel = options.size_mm / options.pixels
    half = (options.pixels - 1) / 2 * pixel
    low = (centre[0] - half, centre[1] - half, centre[2] - (options.per_case - 1) / 2 * gap)
    grid = Grid((options.per_case, options.pixels, options.pixels), (gap, pixel, pixel), low)
    parts = [resample_part(volume, grid, outside=OUTSIDE[kind]).array for kind, volume in volumes.items()]
    return np.stack(parts, axis=1).astype(np.float32)


def _middle(grid: Grid) -> tuple[np.ndarray, float]:
    low, high = grid.bounds
    return (low + high) / 2, float(high[2] - low[2]) / 10


def _largest_lesion(lesions: Volume) -> tuple[np.ndarray, float]:
    """The centre (x, y, z in mm) of the box around the largest connected lesion, and its height (mm)."""
    mask = lesions.to_canonical()
    parts, number = label(mask.array > 0)
    if not number:
        raise DatasetError("the lesion mask is empty; remove the file, or mark the lesion")
    index = np.argwhere(parts == np.bincount(parts.ravel())[1:].argmax() + 1)
    low, high = index.min(axis=0) - 0.5, index.max(axis=0) + 0.5
    corners = np.array([[*end[::-1], 1.0] for end in (low, high)]) @ mask.grid.affine.T
    return corners[:, :3].mean(axis=0), abs(float(corners[1, 2] - corners[0, 2]))


def shown_range(slices: Slices, kind: str) -> tuple[float, float]:
    """The values that pictures show as black and white: of a PET 0 and the 99.5th percentile of ``slices`` (at least 1
    SUV), of a CT the fixed range. Give the real slices, and show synthetic ones in the same range."""
    if kind != "pet":
        return DISPLAY_RANGE[kind]
    values = slices.images[:, slices.channels.index(kind)]
    return 0.0, max(_LEAST_SHOWN_SUV, round(float(np.percentile(values, _SHOWN_PERCENTILE)), 1))


def to_network(images: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Images (N, C, Y, X) as networks see them: log(1 + SUV), and HU from -1000 to 400 as -1 to 1."""
    result = np.empty(images.shape, dtype=np.float32)
    for index, kind in enumerate(channels):
        if kind == "pet":
            result[:, index] = np.log1p(np.clip(images[:, index], 0, None))
        else:
            result[:, index] = np.clip((images[:, index] - _CT_MIDDLE) / _CT_HALF_WIDTH, -1, 1)
    return result


def from_network(images: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """The inverse of ``to_network``: SUV, never negative, and HU from -1000 to 400."""
    result = np.empty(images.shape, dtype=np.float32)
    for index, kind in enumerate(channels):
        if kind == "pet":
            result[:, index] = np.expm1(np.clip(images[:, index], 0, None))
        else:
            result[:, index] = np.clip(images[:, index], -1, 1) * _CT_HALF_WIDTH + _CT_MIDDLE
    return result


def number_text(value: float) -> str:
    """Three significant digits, all digits of larger numbers: 0.0123, 1.23, 12.3, 123, 1,234."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
