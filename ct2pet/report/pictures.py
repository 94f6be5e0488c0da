"""The projections of a case side by side, as a figure for papers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from ct2pet.report.case_pictures import Picture
from ct2pet.report.plots import mark_sides
from ct2pet.report.projections import VIEWS

Box = tuple[float, float, float, float]  # left, bottom, width, height, as shares of the figure

_HEIGHT_INCHES = 4.2
_WIDTH_INCHES = 12.0
_GAP, _ABOVE, _BELOW = 0.12, 0.3, 0.55


def case_figure(pictures: Sequence[Picture]) -> Figure:
    """All pictures in a row, to one scale in mm: head up; from the front the patient's left is on the right, from the
    side the front is on the left. Below each its colour bar."""
    ordered = [picture for view in VIEWS for picture in pictures if picture.view == view]
    ratios = [picture.ratio for picture in ordered]
    height = min(_HEIGHT_INCHES, (_WIDTH_INCHES - _GAP * (len(ratios) + 1)) / sum(ratios))
    width = sum(ratios) * height + _GAP * (len(ratios) + 1)
    size = width, height + _ABOVE + _BELOW
    figure = Figure(figsize=size, facecolor="white")
    left = _GAP
    for picture in ordered:
        place = (left / size[0], _BELOW / size[1], picture.ratio * height / size[0], height / size[1])
        _draw(figure, picture, place, _BELOW * 0.62 / size[1], 0.08 / size[1])
        left += picture.ratio * height + _GAP
    return figure


def _draw(figure: Figure, picture: Picture, place: Box, bar_bottom: float, bar_height: float) -> None:
    axes = figure.add_axes(place)
    axes.imshow(np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")), aspect="auto", interpolation="bilinear")
    axes.set_axis_off()
    axes.set_title(picture.title, fontsize=7, pad=3)
    if picture.view == "coronal":
        mark_sides(axes, "white" if picture.window.colours == "gray" else "black")
    bar = figure.add_axes((place[0] + 0.1 * place[2], bar_bottom, 0.8 * place[2], bar_height))
    low, high = picture.window.limits
    shown = ScalarMappable(Normalize(low, high), picture.window.colours)
    colour_bar = figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=[low, high])
    colour_bar.ax.tick_params(labelsize=6.5, length=2, pad=1)
    colour_bar.set_label(picture.window.unit, fontsize=6.5, labelpad=-5)
