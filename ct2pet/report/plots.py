"""Plots of a summary: small ones for the page, and the same ones side by side for papers.

Each ``draw_...`` draws into given axes; points link to the case in the page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from ct2pet.evaluation.names import training_metric_title
from ct2pet.layout import VALIDATION_METRIC, is_loss
from ct2pet.report.colours import SERIES
from ct2pet.report.point_labels import LabelledCurve, label_points
from ct2pet.report.svg import INK, link

Draw = Callable[[Axes], None]
SIZE_INCHES = (3.1, 2.6)
_FEWEST_FOR_A_BOX = 5
_TICK_LETTERS = 40  # that fit side by side
_TITLE_CHARACTERS = 28  # in a line above a plot
_LEGEND_CHARACTERS = 20  # in a line of one of two columns below a plot
_STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # names of cases and regions are not formulas
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}


@dataclass(frozen=True)
class Series:
    """The numbers of one method: by name of the case (or lesion), with the anchor of each in the page."""

    title: str
    values: Mapping[str, float | None]
    colour: str = SERIES[0]
    anchors: Mapping[str, str] | None = None


@contextmanager
def plot_style() -> Iterator[None]:
    with rc_context(_STYLE):
        yield


def figure_of(draws: Sequence[Draw], columns: int = 1, size: tuple[float, float] = SIZE_INCHES) -> Figure:
    """One figure with a plot for each of ``draws``, row by row."""
    rows = -(-len(draws) // columns)
    with plot_style():
        figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained", facecolor="none")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, draw in zip(grid, draws):
            axes.set_facecolor("none")
            draw(axes)
        for axes in grid[len(draws) :]:
            axes.set_visible(False)
    return figure


def draw_boxes(axes: Axes, title: str, unit: str, series: Sequence[Series]) -> None:
    """A box (see ``draw_box``) for each method."""
    for place, one in enumerate(series):
        draw_box(axes, place, one)
    width = _TICK_LETTERS // len(series)
    axes.set_xticks(range(len(series)), [textwrap.fill(one.title, width) for one in series], fontsize=7.5)
    axes.set_xlim(-0.6, len(series) - 0.4)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.grid(axis="y", alpha=0.25)


def draw_box(axes: Axes, place: float, series: Series) -> None:
    """A box (quartiles, median, whiskers up to 1.5 times their distance) over the points at x = ``place``; below five
    points only their median; nothing without points."""
    known = {name: value for name, value in series.values.items() if value is not None}
    if not known:
        return
    numbers = list(known.values())
    if len(numbers) >= _FEWEST_FOR_A_BOX:
        lines = {"color": series.colour, "linewidth": 1.2}
        axes.boxplot(
            numbers,
            positions=[place],
            widths=0.55,
            showfliers=False,
            boxprops=lines,
            whiskerprops=lines,
            capprops=lines,
            medianprops={"color": INK, "linewidth": 1.6},
        )
    else:
        axes.hlines(float(np.median(numbers)), place - 0.27, place + 0.27, color=INK, linewidth=1.6)
    offsets = np.linspace(-0.16, 0.16, len(numbers)) if len(numbers) > 1 else [0.0]
    _points(axes, series, list(known), [place + offset for offset in offsets], numbers)


def _points(axes: Axes, series: Series, names: Sequence[str], x: Sequence[float], y: Sequence[float]) -> None:
    points = axes.scatter(x, y, s=13, color=series.colour, alpha=0.75, linewidths=0, zorder=3)
    if series.anchors:
        points.set_urls(
            [link(series.anchors.get(name, "cases"), f"{name}: {value:.3g}") for name, value in zip(names, y)]
        )


def draw_agreement(
    axes: Axes,
    title: str,
    unit: str,
    pairs: Mapping[str, tuple[float | None, float | None]],
    numbers: Mapping[str, float | None],
    anchors: Mapping[str, str] | None = None,
) -> None:
    """Bland and Altman's plot (Lancet 1 (1986) 307) of (real, synthetic) ``pairs``: their difference over their mean,
    with ``numbers``: the mean difference ``bias`` and the limits of agreement, ``low`` and ``high``."""
    both = {name: (real, fake) for name, (real, fake) in pairs.items() if real is not None and fake is not None}
    means = [(real + fake) / 2 for real, fake in both.values()]
    differences = [fake - real for real, fake in both.values()]
    _points(axes, Series(title, {}, SERIES[0], anchors), list(both), means, differences)
    axes.axhline(0, color=INK, linewidth=0.6)
    found = []
    for key, style, label in (("bias", "-", "bias"), ("low", "--", "limits"), ("high", "--", "")):
        value = numbers.get(key)
        if value is not None:
            axes.axhline(value, color=SERIES[1], linestyle=style, linewidth=1.2)
            found.append(f"{label} {value:+.3g}".strip())
    axes.set_title(title, pad=17)
    axes.text(0, 1.015, ", ".join(found).replace("-", "−"), transform=axes.transAxes, fontsize=7.5, va="bottom")
    axes.set_xlabel(f"mean of real and synthetic [{unit}]")
    axes.set_ylabel(f"synthetic − real [{unit}]")
    axes.grid(alpha=0.25)


def draw_detection(
    axes: Axes, thresholds: Sequence[float], curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
) -> None:
    """Sensitivity over false positives per scan, at SUV thresholds, of each method: (false positives, sensitivity).
    The horizontal axis is linear up to 1 and logarithmic above: low thresholds have hundreds of false positives."""
    names = [f"{threshold:g}" for threshold in thresholds]
    drawn = [
        LabelledCurve(names, false, true, colour)
        for (false, true), colour in zip(curves.values(), (SERIES[0], SERIES[2], SERIES[1]))
    ]
    for title, curve in zip(curves, drawn):
        label = textwrap.fill(title, _LEGEND_CHARACTERS)
        axes.plot(curve.x, curve.y, marker="o", markersize=3.5, color=curve.colour, label=label, linewidth=1.2)
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set(xlabel="false positives per scan", ylabel="share of lesions", ylim=(-0.05, 1.12))
    axes.set_yticks(np.linspace(0, 1, 6))  # labels of one width, which the layout expects
    axes.set_xlim(axes.get_xlim())  # no longer adapted to the curves, because labels are placed by it
    axes.set_title(textwrap.fill("Lesions detected, by SUV threshold", _TITLE_CHARACTERS))
    _legend_below(axes)
    axes.grid(alpha=0.25)
    label_points(axes, drawn)


def draw_losses(axes: Axes, title: str, rows: Sequence[Mapping[str, float]]) -> None:
    """The mean of each loss over the epochs. The axis is linear where a loss is negative, as a soft Dice may be."""
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if is_loss(name)]
    positive = all(row[name] > 0 for row in rows for name in names if name in row)
    for name, style in zip(names, ("-", "--", "-.", ":") * len(names)):
        axes.plot(*_curve(rows, name), label=name, linestyle=style, linewidth=1.2, color=_loss_colour(name))
    axes.set(yscale="log" if positive else "linear", ylabel="loss (normalised)")
    axes.set_title(title)
    if names:
        _legend_below(axes, columns=3)
    _epochs(axes)


def _legend_below(axes: Axes, columns: int = 2) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), frameon=False, fontsize=7, ncols=columns)


def _loss_colour(name: str) -> str:
    """The losses of a discriminator, by the names of the built-in methods, separated from the others."""
    return SERIES[1] if name.startswith("d_") else SERIES[0]


def draw_validation(
    axes: Axes, title: str, rows: Sequence[Mapping[str, float]], column: str, label: str | None = None
) -> None:
    """A metric on patches of the validation cases over the epochs; ``label``: another title."""
    axes.plot(*_curve(rows, column), color=INK, marker=".", linewidth=1.2)
    axes.set(ylabel=label or validation_title(column), ylim=(0, None))
    axes.set_title(textwrap.fill(title, _TITLE_CHARACTERS))
    _epochs(axes)


def validation_title(column: str, on_training_cases: bool = False) -> str:
    """The title of a metric of the training log: ``validation_mae_suv`` is "validation MAE [SUV]". For a training with
    all cases it names them training cases."""
    title = training_metric_title(column.removeprefix(VALIDATION_METRIC))
    return f"{title}, training cases" if on_training_cases else f"validation {title}"


def _epochs(axes: Axes) -> None:
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)


def _curve(rows: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    """Epochs, counted from 1 as in the terminal, and values."""
    with_value = [row for row in rows if name in row]
    return [row["epoch"] + 1 for row in with_value], [row[name] for row in with_value]


def mark_sides(axes: Axes, colour: str) -> None:
    """R and L in the upper corners of a picture that shows the patient's left on the right."""
    for x, side, alignment in ((0.02, "R", "left"), (0.98, "L", "right")):
        axes.text(x, 0.99, side, transform=axes.transAxes, fontsize=7, color=colour, ha=alignment, va="top")
