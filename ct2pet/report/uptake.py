"""Real against synthetic uptake: a point for each region, organ and lesion, and the voxels of all shown cases."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from ct2pet.evaluation.names import EACH_LESION, QUANTITIES, is_label, is_lesions, region_title
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page
from ct2pet.report.colours import SERIES
from ct2pet.report.plots import Draw, figure_of
from ct2pet.report.svg import INK, inline_svg, link

Summary = Mapping[str, Any]
Points = Mapping[str, tuple[float, float]]  # (real, synthetic) by the text shown at the pointer
SUV_EDGES = np.geomspace(0.1, 40.0, 61)
NOTE = (
    "A point on the line has the same uptake in both PETs. Each point is a region or lesion of one case and links to "
    "it. The histogram counts the voxels of the cases with pictures (bright: many)."
)
_OTHERS = (WHOLE_BODY, EACH_LESION)
_DPI = 110
_SIZE = (3.4, 3.0)
_MOST_POINTS = 4000  # of a plot; above, every n-th case is drawn


def joint_histogram(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Counts of voxels by real (first axis) and synthetic SUV (second axis), between SUV_EDGES; larger values are in
    the outermost bins. Voxels with both PETs below the first edge are excluded."""
    low, high = SUV_EDGES[0], SUV_EDGES[-1] * (1 - 1e-6)
    warm = (real >= low) | (fake >= low)
    rows, columns = (np.clip(pet[warm], low, high) for pet in (real, fake))
    return np.histogram2d(rows, columns, bins=[SUV_EDGES, SUV_EDGES])[0].astype(np.int64)


def uptake_section(summary: Summary, histograms: Sequence[np.ndarray], anchors: Mapping[str, str]) -> Iterator[str]:
    """The section as parts of HTML; empty where no uptake was measured."""
    draws = uptake_plots(summary, anchors)
    if not draws and not histograms:
        return
    yield page.element("h2", "Real against synthetic uptake", id="uptake")
    plots = [
        inline_svg(figure_of([draw], size=_SIZE), f"Real against synthetic uptake, {title}", f"uptake-{index}")
        for index, (title, draw) in enumerate(draws.items())
    ]
    if histograms:
        plots.append(_histogram_image(np.sum(histograms, axis=0)))
    yield page.wrapped("div", "".join(plots), class_="plots wide")
    yield page.element("p", NOTE, class_="quiet")


def uptake_plots(summary: Summary, anchors: Mapping[str, str] | None = None) -> dict[str, Draw]:
    """A plot of SUVmean by region and by organ, and of SUVmax by lesion, as far as the summary has them."""
    named = {
        "SUVmean by district": ("suv_mean", dict(_of_regions(summary, "suv_mean", organs=False))),
        "SUVmean by organ": ("suv_mean", dict(_of_regions(summary, "suv_mean", organs=True))),
        "SUVmax by lesion": ("suv_max", dict(_of_lesions(summary, "suv_max"))),
    }
    return {
        title: partial(draw_uptake, title=title, unit=QUANTITIES[quantity], points=points, anchors=anchors)
        for title, (quantity, points) in named.items()
        if points
    }


def _of_regions(summary: Summary, quantity: str, organs: bool) -> Iterator[tuple[str, tuple[float, float]]]:
    cases = list(summary["cases"].items())
    step = max(1, sum(len(regions) for _, regions in cases) // _MOST_POINTS)
    for case, regions in cases[::step]:
        for region, metrics in regions.items():
            pair = metrics.get(f"real_{quantity}"), metrics.get(f"fake_{quantity}")
            if is_label(region) == organs and region not in _OTHERS and not is_lesions(region) and None not in pair:
                yield f"{case}, {region_title(region)}", pair


def _of_lesions(summary: Summary, quantity: str) -> Iterator[tuple[str, tuple[float, float]]]:
    for case, lesions in summary["lesions"].items():
        for number, lesion in enumerate(lesions, start=1):
            pair = lesion.get(f"real_{quantity}"), lesion.get(f"fake_{quantity}")
            if None not in pair:
                yield f"{case}, lesion {number}", pair


def draw_uptake(axes: Axes, title: str, unit: str, points: Points, anchors: Mapping[str, str] | None = None) -> None:
    """Synthetic over real uptake with the line of identity; both axes have one range."""
    real, fake = (np.array([pair[index] for pair in points.values()]) for index in (0, 1))
    drawn = axes.scatter(real, fake, s=13, color=SERIES[0], alpha=0.7, linewidths=0, zorder=3)
    if anchors is not None:
        drawn.set_urls([link(_anchor(name, anchors), f"{name}: {x:.3g}, {y:.3g}") for name, (x, y) in points.items()])
    top = 1.05 * max(1e-6, float(np.max([real, fake])))
    axes.plot([0, top], [0, top], color=INK, linewidth=0.8)
    axes.set(xlim=(0, top), ylim=(0, top), xlabel=f"real PET: {unit} [SUV]", ylabel=f"synthetic PET: {unit} [SUV]")
    axes.set_title(f"{title} (n = {len(points)})")
    axes.grid(alpha=0.25)


def _anchor(name: str, anchors: Mapping[str, str]) -> str:
    return anchors.get(name) or anchors.get(name.rpartition(", ")[0], "cases")


def draw_histogram(axes: Axes, counts: np.ndarray) -> None:
    """The joint histogram with logarithmic axes and counts."""
    shown = np.ma.masked_equal(counts.T, 0)
    axes.pcolormesh(SUV_EDGES, SUV_EDGES, shown, norm=LogNorm(1, max(2, counts.max())), cmap="viridis", rasterized=True)
    ends = [SUV_EDGES[0], SUV_EDGES[-1]]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="real PET [SUV]", ylabel="synthetic PET [SUV]")
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_title("Voxels of both PETs")


def _histogram_image(counts: np.ndarray) -> str:
    figure = figure_of([partial(draw_histogram, counts=counts)], size=_SIZE)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})
    return page.image(buffer.getvalue(), "Joint histogram of the voxels of real and synthetic PET")
