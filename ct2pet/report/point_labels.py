"""Labels of the points of curves that do not cover each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

_AXES = np.array([175.0, 95.0])  # width and height in points; at most those in the report, so that no label is too near
_FONT_SIZE = 6.5
_LETTER, _LINE = 4.3, 8.0  # width and height in points
_GAP, _MARKER = 3.0, 4.0  # in points
_CORNERS = ((1, 1), (-1, 1), (1, -1), (-1, -1))  # in order of preference
_SAMPLES = 16  # of a line between two points


@dataclass(frozen=True)
class LabelledCurve:
    """Points (``x``, ``y``) of a curve and their ``names``."""

    names: Sequence[str]
    x: Sequence[float]
    y: Sequence[float]
    colour: str


def label_points(axes: Axes, curves: Sequence[LabelledCurve]) -> None:
    """Write the names next to the points, in ``axes`` with final limits and scales.

    Successive points that are too near for a name each have one label, "first–last". A label is at the corner of its
    first point where it covers least of other labels, curves and the outside of the axes.
    """
    places = [_in_points(axes, curve) for curve in curves]
    used = [_box(place, _MARKER, _MARKER) for own in places for place in _line(own)]
    for curve, own in zip(curves, places):
        for first, last in _groups(own):
            text = curve.names[first] if first == last else f"{curve.names[first]}–{curve.names[last]}"
            size = _LETTER * len(text), _LINE
            shifts = [np.multiply(corner, [_GAP + size[0] / 2, _GAP + size[1] / 2]) for corner in _CORNERS]
            boxes = [_box(own[first] + shift, *size) for shift in shifts]
            best = int(np.argmin([_covered(box, np.array(used)) for box in boxes]))
            used.append(boxes[best])
            axes.annotate(
                text,
                (curve.x[first], curve.y[first]),
                tuple(shifts[best]),
                textcoords="offset points",
                fontsize=_FONT_SIZE,
                color=curve.colour,
                ha="center",
                va="center",
            )


def _in_points(axes: Axes, curve: LabelledCurve) -> np.ndarray:
    """(points, 2): the positions from the lower left corner of the axes."""
    return (axes.transScale + axes.transLimits).transform(np.column_stack([curve.x, curve.y])) * _AXES


def _line(places: np.ndarray) -> np.ndarray:
    """(samples, 2): positions on the lines between successive points."""
    samples = np.linspace(0, len(places) - 1, _SAMPLES * (len(places) - 1) + 1)
    return np.column_stack([np.interp(samples, np.arange(len(places)), axis) for axis in places.T])


def _groups(places: np.ndarray) -> Iterator[tuple[int, int]]:
    """The first and the last of successive points that are too near for a label each."""
    first = 0
    for index in range(1, len(places) + 1):
        if index == len(places) or (np.abs(places[index] - places[first]) > (3 * _LETTER, _LINE)).any():
            yield first, index - 1
            first = index


def _box(centre: np.ndarray, width: float, height: float) -> np.ndarray:
    """(2, 2): the lower left and the upper right corner."""
    return np.add(centre, np.multiply([[-0.5], [0.5]], [width, height]))


def _covered(box: np.ndarray, used: np.ndarray) -> float:
    """The area of a box on other boxes (boxes, 2, 2) and outside the axes, in square points."""
    inside = _area(box.clip(0, _AXES))
    common = np.stack([np.maximum(box[0], used[:, 0]), np.minimum(box[1], used[:, 1])], axis=1)
    return float(_area(common).sum() + _area(box) - inside)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 1, :] - boxes[..., 0, :]).clip(0).prod(-1)
