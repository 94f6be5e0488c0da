"""Contours of label maps over slices: the predicted labels dashed, the reference solid, a colour for each label."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ct2pet.dataset import Field
from ct2pet.evaluation.names import region_title
from ct2pet.report.colours import OF_KIND, PET, Window
from ct2pet.report.plots import mark_sides
from ct2pet.report.projections import image_title
from ct2pet.resampling import resample
from ct2pet.volume import Triple, Volume

VIEWS = {"axial": 0, "coronal": 1, "sagittal": 2}  # the axis that a slice is perpendicular to
SHOWN_VIEWS = ("coronal", "axial")  # of a case in the report
LineStyle = Literal["-", "--"]
REFERENCE: LineStyle = "-"
PREDICTED: LineStyle = "--"
_LINE_WIDTH = 1.0
_PANEL_INCHES = 4.5  # the longer side
_LEGEND_INCHES, _TITLE_INCHES = 1.6, 0.45
_DPI = 110


@dataclass(frozen=True)
class LabelledCase:
    """The images and labels of a case for its pictures, all on one grid (Z towards the head, Y to the back, X to the
    patient's left: ``Volume.to_canonical``) with voxels of ``spacing`` (mm, Z, Y, X).

    ``images``: {TITLE: array in the unit of the window}, ``predicted`` and ``reference``: label maps, ``labels``:
    {NAME: value in the maps}.
    """

    images: Mapping[str, np.ndarray]
    predicted: np.ndarray
    reference: np.ndarray
    labels: Mapping[str, int]
    spacing: Triple

    def pixel_mm(self, view: str) -> tuple[float, float]:
        """Height and width (mm) of a pixel of a slice."""
        height, width = (size for axis, size in enumerate(self.spacing) if axis != VIEWS[view])
        return height, width


def contour_pictures(
    image: Volume, field: Field, predicted: Volume, reference: Volume, labels: Field
) -> dict[str, bytes]:
    """PNG by title: in each of ``SHOWN_VIEWS`` the slice with most of the labels.

    ``image``: an input of the case, of ``field``; ``predicted`` and ``reference``: label maps of ``labels``.
    All have their own grids and are shown on that of the reference.
    """
    true = reference.to_canonical()
    case = LabelledCase(
        {image_title(field): resample(image.to_canonical(), true.grid, outside=field.rules.outside).array},
        resample(predicted.to_canonical(), true.grid, labels=True).array,
        true.array,
        labels.labels,
        true.grid.spacing,
    )
    pictures = {}
    for view in SHOWN_VIEWS:
        figure = contour_figure(case, view, richest_slice(case.reference, case.labels, view), OF_KIND[field.kind])
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
        pictures[f"{image_title(labels)}, {view}"] = buffer.getvalue()
    return pictures


def contour_figure(case: LabelledCase, view: str, index: int, window: Window = PET) -> Figure:
    """Slice ``index`` of each image side by side, with the contours of all labels and their legend."""
    images = {title: cut(image, view, index) for title, image in case.images.items()}
    predicted, reference = (cut(label_map, view, index) for label_map in (case.predicted, case.reference))
    pixel = case.pixel_mm(view)
    height, width = (n * size for n, size in zip(reference.shape, pixel))
    inches = _PANEL_INCHES / max(height, width)
    size = width * inches * len(images) + _LEGEND_INCHES, height * inches + _TITLE_INCHES
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    for axes, (title, image) in zip(figure.subplots(1, len(images), squeeze=False)[0], images.items()):
        draw_image(axes, image, pixel, window)
        draw_contours(axes, reference, case.labels, pixel, REFERENCE)
        draw_contours(axes, predicted, case.labels, pixel, PREDICTED)
        axes.set_title(title, fontsize=8)
        if view != "sagittal":
            mark_sides(axes, "white" if window.colours == "gray" else "black")
    shown = [name for name, label in case.labels.items() if (reference == label).any() or (predicted == label).any()]
    figure.legend(handles=_legend(case.labels, shown), loc="outside right upper", fontsize=6.5, frameon=False)
    return figure


def cut(array: np.ndarray, view: str, index: int) -> np.ndarray:
    """A slice (rows, columns) of an array (Z, Y, X). Axial: the front on top, the patient's left on the right.
    Coronal: head up, left on the right. Sagittal: head up, the front on the left."""
    found = array.take(index, axis=VIEWS[view])
    return found if view == "axial" else found[::-1]


def richest_slice(label_map: np.ndarray, labels: Mapping[str, int], view: str) -> int:
    """The number of the slice with most of ``labels``; of several the one with the most label voxels."""
    slices = np.moveaxis(label_map, VIEWS[view], 0)
    counts = np.array([[np.count_nonzero(one == label) for label in labels.values()] for one in slices])
    ranks = [(int(np.count_nonzero(row)), int(row.sum())) for row in counts]
    return ranks.index(max(ranks))


def draw_image(axes: Axes, image: np.ndarray, pixel_mm: tuple[float, float], window: Window) -> None:
    """A slice in the colours of ``window``; the axes are in mm from the upper left corner."""
    low, high = window.limits
    extent = (0.0, image.shape[1] * pixel_mm[1], image.shape[0] * pixel_mm[0], 0.0)
    axes.imshow(image, cmap=window.colours, vmin=low, vmax=high, extent=extent, interpolation="nearest")
    axes.set_axis_off()


def draw_contours(
    axes: Axes, label_slice: np.ndarray, labels: Mapping[str, int], pixel_mm: tuple[float, float], style: LineStyle
) -> None:
    """The contour of each label of a slice of a label map, between its pixels and those around it, in ``style``; over
    an image of ``draw_image`` with the same pixels."""
    padded = np.pad(label_slice, 1)  # a label at the border of the image is closed there
    y, x = ((np.arange(n) - 0.5) * size for n, size in zip(padded.shape, pixel_mm))
    for name, colour in label_colours(labels).items():
        mask = padded == labels[name]
        if mask.any():
            mask_values = mask.astype(float)
            axes.contour(x, y, mask_values, [0.5], colors=[colour], linestyles=[style], linewidths=[_LINE_WIDTH])


def label_colours(labels: Collection[str]) -> dict[str, str]:
    """A colour for each label: equally spaced hues, alternating dark and bright."""
    values = [(number / len(labels), 1.0, 0.9 - 0.35 * (number % 2)) for number in range(len(labels))]
    return {name: to_hex(tuple(hsv_to_rgb(value))) for name, value in zip(labels, values)}


def _legend(labels: Collection[str], shown: Sequence[str]) -> list[Line2D]:
    colours = label_colours(labels)
    kinds: dict[str, LineStyle] = {"reference": REFERENCE, "predicted": PREDICTED}
    lines = [Line2D([], [], color="black", linestyle=style, label=name) for name, style in kinds.items()]
    return [*lines, *(Line2D([], [], color=colours[name], label=region_title(name)) for name in shown)]
