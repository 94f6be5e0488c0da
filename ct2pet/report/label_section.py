"""The section of label maps: a table and a box plot, with a row and a box per label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ct2pet.evaluation.label_summary import LabelCases, LabelSummary, Presence, summarise_labels
from ct2pet.evaluation.label_tables import COLUMNS, Column, columns_of, missed_text, total_presence
from ct2pet.evaluation.names import BIAS, region_title
from ct2pet.report import page
from ct2pet.report.page import Cell
from ct2pet.report.plots import Series, draw_box, figure_of
from ct2pet.report.svg import inline_svg

PLOTTED = "dice"
NOTE = (
    "Mean ± standard deviation over cases; the mean of the labels is taken case by case. Dice and IoU: overlap of the "
    "predicted and the reference label. HD95: the larger one of the 95th percentiles of the distances from either "
    "surface to the other. ASD: the mean distance of both surfaces. Missed: cases with the label in the reference and "
    "none of it in the prediction, of all cases with it in the reference; invented: cases with the label in the "
    "prediction only. Both have an overlap of 0 and no distance; a label that is in neither map is not counted. In "
    "the plot each point is a case and links to it. Box: quartiles and median; whiskers: up to 1.5 times the box "
    "beyond it. Below five cases only the median is drawn."
)
BIAS_NOTE = "SUV biases: the predicted label in the predicted PET against the reference label in the real PET."
_INCHES_PER_LABEL = 0.36
_FEWEST_INCHES, _HEIGHT_INCHES = 2.4, 3.0


def label_section(cases: LabelCases, anchors: Mapping[str, str]) -> Iterator[str]:
    """The section as parts of HTML; empty where no case has labels.

    ``cases``: {CASE: {LABEL: {METRIC: value or None}}} as of ``label_metrics``; ``anchors``: the anchor of each case in
    the page.
    """
    summary = summarise_labels(cases)
    if summary.labels:
        yield page.element("h2", "Labels", id="labels")
        yield label_table(summary)
        yield label_plot(cases, anchors)
        biased = any(metric.endswith(BIAS) for metric in columns_of(summary.mean))
        yield page.element("p", f"{NOTE} {BIAS_NOTE}" if biased else NOTE, class_="quiet")


def label_table(summary: LabelSummary) -> str:
    """A row for each label: mean ± standard deviation of each metric, and the number of cases where it is missed or
    invented; the last row is the mean over the labels."""
    columns = columns_of(summary.mean)
    rows = [
        _row(region_title(label), columns, found, summary.presence[label]) for label, found in summary.labels.items()
    ]
    rows.append(_row("mean of the labels", columns, summary.mean, total_presence(list(summary.presence.values()))))
    header = ["Label", *(column.header for column in columns.values()), "Missed", "Invented"]
    return page.table(header, rows, caption="Labels: prediction against reference")


def _row(
    title: str, columns: Mapping[str, Column], found: Mapping[str, Mapping[str, Any]], presence: Presence
) -> list[Cell | str]:
    cells = [_cell(column, found.get(metric)) for metric, column in columns.items()]
    return [
        title,
        *cells,
        Cell(missed_text(presence), presence.missed),
        Cell(str(presence.invented), presence.invented),
    ]


def _cell(column: Column, description: Mapping[str, Any] | None) -> Cell:
    if description is None:
        return Cell("–")
    return Cell(column.mean_text(description).replace("-", "−"), description["mean"])


def label_plot(cases: LabelCases, anchors: Mapping[str, str]) -> str:
    """Dice of each label, a point per case, as SVG inside HTML."""
    figure = label_figure(cases, anchors)
    svg = inline_svg(figure, f"{COLUMNS[PLOTTED].title} of each label by case", "labels-")
    # as wide as its labels need, at the size of the page's other plots: a narrow window scrolls
    inches = figure.get_size_inches()[0]
    width = page.wrapped("div", svg, class_="plots", style=f"width:{inches * 5.5:.1f}rem;grid-template-columns:1fr")
    return page.wrapped("div", width, class_="scroll", tabindex="0", role="region", aria_label="Plot of all labels")


def label_figure(cases: LabelCases, anchors: Mapping[str, str] | None = None) -> Figure:
    """Dice of each label, a box per label, with a width for their number."""
    values = dice_by_label(cases)
    size = max(_FEWEST_INCHES, _INCHES_PER_LABEL * (len(values) + 1.5)), _HEIGHT_INCHES
    return figure_of([lambda axes: draw_label_boxes(axes, values, anchors)], size=size)


def dice_by_label(cases: LabelCases) -> dict[str, dict[str, float | None]]:
    """{LABEL: {CASE: Dice in %, None where the label is in neither map}}."""
    found: dict[str, dict[str, float | None]] = {}
    for case, labels in cases.items():
        for label, metrics in labels.items():
            value = metrics[PLOTTED]
            found.setdefault(label, {})[case] = None if value is None else value * COLUMNS[PLOTTED].factor
    return found


def draw_label_boxes(
    axes: Axes, values: Mapping[str, Mapping[str, float | None]], anchors: Mapping[str, str] | None = None
) -> None:
    """A box over the points of each label, from 0 to 100%; ``values`` as of ``dice_by_label``."""
    for place, (label, numbers) in enumerate(values.items()):
        draw_box(axes, place, Series(label, numbers, anchors=anchors))
    titles = [region_title(label) for label in values]
    axes.set_xticks(range(len(values)), titles, rotation=45, ha="right", rotation_mode="anchor", fontsize=7.5)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_ylim(-3, 103)
    axes.set_ylabel(COLUMNS[PLOTTED].header)
    axes.grid(axis="y", alpha=0.25)
