"""A series and its geometry, from positions and orientations, without assumptions.

Standard: DICOM PS3.3 C.7.6.2 (Image Plane). Slices that do not form one regular volume give a GeometryError of one
line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from ct2pet.dicom.headers import Header
from ct2pet.errors import GeometryError
from ct2pet.suv.clocks import in_one_scan
from ct2pet.volume import Grid

_COSINE = 1e-3  # two orientations, or a right angle, are the same within
_IN_PLANE = 0.1  # share of a pixel: tolerance of shifts between slices
_ALONG = 0.05  # share of the distance of slices: tolerance of their positions
_SAME_PLACE = 0.01  # of the distance of slices


@dataclass(frozen=True)
class Series:
    """The images of one series (CT or PET), in any order; they may not form a volume."""

    headers: tuple[Header, ...]

    @property
    def first(self) -> Header:
        return self.headers[0]

    @property
    def kind(self) -> str:
        return self.first.kind

    @property
    def folder(self) -> Path:
        """The path of its first file."""
        return self.first.path.parent

    @cached_property
    def time(self) -> datetime | None:
        """The start of its acquisition, if known."""
        times = [header.time for header in self.headers if header.time]
        try:
            return min(in_one_scan(times), default=None)
        except ValueError:  # the times of a whole day
            return min(times)

    @property
    def label(self) -> str:
        """A name for messages, of numbers only: texts of headers and folder names may contain patient names."""
        number = "" if self.first.series_number is None else f" series {self.first.series_number}"
        count = "1 file" if len(self.headers) == 1 else f"{len(self.headers)} files"
        return f"{self.kind}{number} ({count})"


def group_series(headers: Iterable[Header]) -> list[Series]:
    """The images by patient, study, series and kind, in a fixed order."""
    groups: dict[tuple, list[Header]] = {}
    for header in headers:
        groups.setdefault((header.patient, header.study, header.kind, header.series), []).append(header)
    return [Series(tuple(group)) for _, group in sorted(groups.items())]


@dataclass(frozen=True)
class Slice:
    """One image of a volume. ``frame``: of an enhanced file, from 0 on; None for a classic file. ``image``: the name
    of its object for messages."""

    path: Path
    frame: int | None
    image: str
    shape: tuple[int, int]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    slope: float
    intercept: float

    @property
    def name(self) -> str:
        return self.image if self.frame is None else f"frame {self.frame + 1} of {self.image}"


@dataclass(frozen=True)
class Stack:
    """Slices in the order of the array's Z axis, and the grid that they form."""

    slices: tuple[Slice, ...]
    grid: Grid


def stack(slices: Sequence[Slice]) -> Stack:
    """Put slices in order along their normal (the rows' direction times the columns').

    Raises GeometryError, which names the files, for slices of different size or orientation, several at one place,
    missing ones, uneven distances, and slices shifted against each other (a tilted gantry).
    """
    if len(slices) < 2:
        raise GeometryError("a single image is not a volume")
    first = slices[0]
    rotation = _rotation(first)
    for other in slices[1:]:
        _check_alike(first, other)
    places = np.array([item.position for item in slices], dtype=float)
    if not np.isfinite(places).all():
        raise GeometryError("a position of a slice is not finite")
    along = places @ rotation[:, 2]
    order = np.argsort(along, kind="stable")
    ordered = tuple(slices[index] for index in order)
    spacing = _slice_spacing(ordered, along[order])
    _check_upright(ordered, places[order], rotation, spacing)
    shape = (len(ordered), *first.shape)
    row_distance, column_distance = first.pixel_spacing
    grid = Grid(
        shape,
        (spacing, row_distance, column_distance),
        tuple(places[order[0]].tolist()),  # type: ignore[arg-type]
        tuple(rotation.ravel().tolist()),
    )
    return Stack(ordered, grid)


def _rotation(item: Slice) -> np.ndarray:
    """Columns: the directions of the X, Y and Z index axes."""
    row, column = np.array(item.orientation[:3], dtype=float), np.array(item.orientation[3:], dtype=float)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose([*lengths, row @ column], [1, 1, 0], atol=_COSINE):
        raise GeometryError(f"{item.name}: its ImageOrientationPatient is not a pair of orthogonal directions")
    row = row / lengths[0]
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _check_alike(first: Slice, other: Slice) -> None:
    if other.shape != first.shape:
        raise GeometryError(f"{other.name}: its {_size(other)} pixels differ from the {_size(first)} of {first.name}")
    if not np.allclose(other.orientation, first.orientation, atol=_COSINE):
        raise GeometryError(f"mixed orientations: {other.name} is not parallel to {first.name}")
    if not np.allclose(other.pixel_spacing, first.pixel_spacing, rtol=_COSINE):
        raise GeometryError(f"{other.name}: its pixel spacing differs from that of {first.name}")


def _size(item: Slice) -> str:
    return " x ".join(map(str, item.shape))


def _slice_spacing(slices: Sequence[Slice], along: np.ndarray) -> float:
    steps = np.diff(along)
    usual = float(np.median(steps))
    same = np.flatnonzero(steps <= max(_SAME_PLACE * usual, 1e-4))
    if same.size:
        pair = f"{slices[same[0]].name} and {slices[same[0] + 1].name}"
        raise GeometryError(f"{same.size + 1} or more images have the same position, such as {pair}: not one volume")
    wide = np.flatnonzero(steps > 1.5 * usual)
    for index in wide[:1]:
        between = f"between {slices[index].name} and {slices[index + 1].name}"
        count = round(float(steps[index]) / usual) - 1
        if abs(steps[index] / usual - (count + 1)) > 0.1:
            raise GeometryError(f"uneven slices: {steps[index]:.2f} mm {between}, {usual:.2f} mm elsewhere")
        raise GeometryError(f"{count} slice(s) missing {between} ({steps[index]:.2f} mm instead of {usual:.2f} mm)")
    spacing = float((along[-1] - along[0]) / (len(along) - 1))
    off = np.abs(along - (along[0] + spacing * np.arange(len(along))))
    worst = int(off.argmax())
    if off[worst] > _ALONG * spacing:
        raise GeometryError(
            f"uneven slices: {slices[worst].name} is {off[worst]:.2f} mm away from its regular position"
        )
    return spacing


def _check_upright(slices: Sequence[Slice], places: np.ndarray, rotation: np.ndarray, spacing: float) -> None:
    shift = (places - places[0]) @ rotation[:, :2]  # along rows and columns
    worst = int(np.abs(shift).max(axis=1).argmax())
    largest = float(np.abs(shift[worst]).max())
    if largest <= _IN_PLANE * min(slices[0].pixel_spacing):
        return
    angle = np.degrees(np.arctan2(np.linalg.norm(shift[-1]), spacing * (len(slices) - 1)))
    steps = np.diff(shift, axis=0)
    if np.abs(steps - steps.mean(axis=0)).max() <= _IN_PLANE * min(slices[0].pixel_spacing):
        raise GeometryError(f"a tilted gantry: the slices are sheared by {angle:.1f} degrees; resample them first")
    raise GeometryError(f"{slices[worst].name} is shifted by {largest:.1f} mm against the other slices: not one volume")
