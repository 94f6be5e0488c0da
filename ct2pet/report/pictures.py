"""Coronal maximum intensity projections of a case: CT, real PET, synthetic PET and the error, as one small PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ct2pet.resampling import AIR_HU, resample
from ct2pet.volume import Grid, Volume

PET_RANGE_SUV = (0.0, 10.0)
ERROR_RANGE_SUV = (-5.0, 5.0)
CT_RANGE_HU = (-200.0, 1000.0)

_CT_PIXEL_MM = 2.0
_PANEL_INCHES = (2.4, 4.8)  # at most this wide and this high
_RESOLUTIONS_DPI = (110, 90, 70, 50)  # the first that keeps the PNG small; noise hardly compresses
_LARGEST_PNG = 300_000  # bytes


@dataclass(frozen=True)
class Panel:
    """One projection (Z, X) and how it is shown: title, range of values, colour map, unit."""

    title: str
    image: np.ndarray
    limits: tuple[float, float]
    colours: str
    unit: str


def coronal_mip(array: np.ndarray) -> np.ndarray:
    """The largest value along the line of sight, front to back: (Z, Y, X) to (Z, X)."""
    return array.max(axis=1)


def coronal_error(error: np.ndarray) -> np.ndarray:
    """Of every line of sight the error that is largest in size, with its sign: (Z, Y, X) to (Z, X)."""
    largest, smallest = error.max(axis=1), error.min(axis=1)
    return np.where(largest >= -smallest, largest, smallest)


def case_picture(ct_hu: Volume, real_pet: Volume, fake_pet: Volume) -> bytes:
    """PNG of the four panels side by side on the real PET's field of view: head up, the patient's left on the right.

    CT in HU, PETs in SUV (g/ml), each on a grid of its own. The synthetic PET counts as 0 where it does not reach.
    """
    real = real_pet.oriented()
    fake = resample(fake_pet.oriented(), real.grid).array
    ct = resample(ct_hu.oriented(), _fine(real.grid), outside=AIR_HU).array
    panels = [
        Panel("CT", coronal_mip(ct), CT_RANGE_HU, "gray", "HU"),
        Panel("Real PET", coronal_mip(real.array), PET_RANGE_SUV, "gray_r", "SUV"),
        Panel("Synthetic PET", coronal_mip(fake), PET_RANGE_SUV, "gray_r", "SUV"),
        Panel("Synthetic − real", coronal_error(fake - real.array), ERROR_RANGE_SUV, "RdBu_r", "SUV"),
    ]
    height_mm, _, width_mm = (n * size for n, size in zip(real.grid.shape, real.grid.spacing))
    return _png(_figure(panels, height_mm, width_mm))


def _fine(grid: Grid) -> Grid:
    """The grid with small enough voxels along Z and X for bones to be seen."""
    z, y, x = grid.spacing
    return grid.with_spacing((min(z, _CT_PIXEL_MM), y, min(x, _CT_PIXEL_MM)))


def _figure(panels: list[Panel], height_mm: float, width_mm: float) -> Figure:
    scale = min(_PANEL_INCHES[0] / width_mm, _PANEL_INCHES[1] / height_mm)
    width, height = max(1.3, width_mm * scale), height_mm * scale
    gap, above, below = 0.32, 0.35, 0.6
    size = (len(panels) * (width + gap) + gap, height + above + below)
    figure = Figure(figsize=size, facecolor="white")
    for index, panel in enumerate(panels):
        left = (gap + index * (width + gap)) / size[0]
        axes = figure.add_axes((left, below / size[1], width / size[0], height / size[1]))
        bar = figure.add_axes((left, 0.36 / size[1], width / size[0], 0.1 / size[1]))
        shown = axes.imshow(
            panel.image,
            cmap=panel.colours,
            vmin=panel.limits[0],
            vmax=panel.limits[1],
            origin="lower",  # the first slice is the lowest
            extent=(0, width_mm, 0, height_mm),
            interpolation="bilinear",
        )
        axes.set_title(panel.title, fontsize=9)
        axes.set_axis_off()
        _mark_sides(axes, "white" if panel.colours == "gray" else "black")
        colour_bar = figure.colorbar(shown, cax=bar, orientation="horizontal")
        colour_bar.set_ticks([panel.limits[0], sum(panel.limits) / 2, panel.limits[1]])
        colour_bar.ax.tick_params(labelsize=7, length=2, pad=1)
        colour_bar.set_label(panel.unit, fontsize=7, labelpad=0)
    return figure


def _mark_sides(axes: Axes, colour: str) -> None:
    for x, side, alignment in ((0.02, "R", "left"), (0.98, "L", "right")):
        axes.text(x, 0.99, side, transform=axes.transAxes, fontsize=7, color=colour, ha=alignment, va="top")


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    png = b""
    for dpi in _RESOLUTIONS_DPI:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
        png = buffer.getvalue()
        if len(png) < _LARGEST_PNG:
            break
    return png
