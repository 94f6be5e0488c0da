"""Label metrics as a text table, as CSV and as LaTeX: one row per label and their mean, as mean ± standard deviation.

The shape is that of Table 1 of Ye et al., "Self is the Best Learner: CT-free Ultra-Low-Dose PET Organ Segmentation via
Collaborating Denoising and Segmentation Learning", with the number of missed labels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct2pet.console import wrapped
from ct2pet.evaluation.columns import aligned
from ct2pet.evaluation.comparing.files import literal
from ct2pet.evaluation.comparing.wording import subject_title
from ct2pet.evaluation.label_summary import LabelSummary, Presence, standard_deviation
from ct2pet.evaluation.names import region_title

MEAN = "mean"
MISSED = "Missed"


@dataclass(frozen=True)
class Column:
    """The format of a metric in tables: its ``title``, and its value times ``factor`` in ``unit`` with ``digits``."""

    title: str
    unit: str
    factor: float = 1.0
    digits: int = 2
    signed: bool = False

    @property
    def header(self) -> str:
        return f"{self.title} [{self.unit}]"

    def text(self, value: float | None) -> str:
        """The value; a dash where it is undefined."""
        if value is None:
            return "–"
        return f"{value * self.factor:{'+' if self.signed else ''}.{self.digits}f}"

    def mean_text(self, description: Mapping[str, Any]) -> str:
        """Mean ± standard deviation; the mean alone below two values."""
        deviation = standard_deviation(description)
        mean = self.text(description["mean"])
        return mean if deviation is None else f"{mean} ± {self.text(deviation).lstrip('+')}"


COLUMNS = {
    "dice": Column("Dice", "%", 100.0),
    "iou": Column("IoU", "%", 100.0),
    "hd95": Column("HD95", "mm"),
    "asd": Column("ASD", "mm"),
    "suv_mean_bias": Column("SUVmean bias", "%", digits=1, signed=True),
    "suv_max_bias": Column("SUVmax bias", "%", digits=1, signed=True),
}


def columns_of(metrics: Collection[str]) -> dict[str, Column]:
    """The columns of the existing metrics; volumes have none."""
    return {metric: column for metric, column in COLUMNS.items() if metric in metrics}


def missed_text(presence: Presence) -> str:
    """The number of cases with this label that lack it in the prediction, "1/6"."""
    return f"{presence.missed}/{presence.reference}"


def total_presence(presence: Collection[Presence]) -> Presence:
    """Of all labels together."""
    return Presence(*(sum(getattr(one, name) for one in presence) for name in ("reference", "missed", "invented")))


def text_table(summary: LabelSummary, width: int | None = None) -> str:
    """The summary as text. ``width``: the most characters of a line."""
    columns = columns_of(summary.mean)
    lines = [["label", *(column.header for column in columns.values()), MISSED.lower()]]
    lines += [[region_title(label), *cells] for label, cells in _rows(summary, columns)]
    return f"{aligned(lines, width=width)}\n\n{wrapped(_note(summary), width)}"


def latex(summary: LabelSummary) -> str:
    r"""A table environment to \input into a document that has \usepackage{booktabs}."""
    columns = columns_of(summary.mean)
    header = ["Label", *(f"{column.title} ({column.unit})" for column in columns.values()), MISSED]
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{literal(_note(summary))}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(columns) + 1)}}}",
        r"\toprule",
        _latex_row(header),
        r"\midrule",
    ]
    for label, cells in _rows(summary, columns):
        if label == MEAN:
            lines.append(r"\midrule")
        lines.append(_latex_row([subject_title(label), *cells]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def csv_text(summary: LabelSummary) -> str:
    """One row per label and the mean, in the units of the header; empty where a number is undefined. ``n``: cases or
    folds with the number. ``cases``: those with the label in the reference; the last row has the sums of the labels'
    ``cases``, ``missed`` and ``invented``."""
    columns = columns_of(summary.mean)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    ends = ("mean", "sd", "n")
    header = [f"{column.title} {end}{_csv_unit(column, end)}" for column in columns.values() for end in ends]
    writer.writerow(["label", *header, "cases", "missed", "invented"])
    for label, descriptions, presence in _lines(summary):
        numbers = [number for metric in columns for number in _csv_numbers(columns[metric], descriptions.get(metric))]
        writer.writerow([label, *numbers, presence.reference, presence.missed, presence.invented])
    return buffer.getvalue()


def _lines(summary: LabelSummary) -> list[tuple[str, Mapping[str, Any], Presence]]:
    lines = [(label, found, summary.presence[label]) for label, found in summary.labels.items()]
    return [*lines, (MEAN, summary.mean, total_presence(list(summary.presence.values())))]


def _rows(summary: LabelSummary, columns: Mapping[str, Column]) -> list[tuple[str, list[str]]]:
    rows = []
    for label, descriptions, presence in _lines(summary):
        cells = [
            column.mean_text(descriptions[metric]) if metric in descriptions else "–"
            for metric, column in columns.items()
        ]
        rows.append((label, [*cells, missed_text(presence)]))
    return rows


def _note(summary: LabelSummary) -> str:
    over = summary.over.removesuffix("s") if summary.number == 1 else summary.over
    return (
        f"Mean ± standard deviation over {summary.number} {over}. A label that is missed "
        "(none of it in the prediction) or invented (none of it in the reference) has Dice and IoU 0 and no "
        "distance; one that is in neither map is not counted."
    )


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(literal, cells)) + r" \\"


def _csv_unit(column: Column, end: str) -> str:
    return "" if end == "n" else f" [{column.unit}]"


def _csv_numbers(column: Column, description: Mapping[str, Any] | None) -> list[float | int | None]:
    if description is None:
        return [None, None, 0]
    numbers = (description["mean"], standard_deviation(description))
    return [*(None if number is None else number * column.factor for number in numbers), description["n"]]
