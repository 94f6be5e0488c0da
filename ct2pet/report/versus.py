"""Comparison of two models as a table."""

from __future__ import annotations

from typing import Any

from ct2pet.evaluation.comparing.comparison import Comparison, Line
from ct2pet.evaluation.comparing.wording import marks
from ct2pet.evaluation.names import BIAS, mean_text, region_title
from ct2pet.report import page
from ct2pet.report.page import Cell
from ct2pet.report.tables import metric_title, number

NOTE = (
    "Both models on the same cases. Difference: the other model's mean minus this one's, with its 95% interval; "
    "for a bias the absolute value. p: the larger one of paired t-test and Wilcoxon test, two-tailed, corrected (Holm) "
    "for all tests of the family; a dash where nothing was tested. dz: mean difference over its standard deviation. A "
    "small p makes chance an unlikely cause of a difference; it does not make the difference relevant."
)


def comparison_tables(comparison: Comparison) -> str:
    """A table for each metric: the regions and diagnoses in which this model and the other were compared."""
    own, other = comparison.models[:2]
    lines: dict[str, list[Line]] = {}
    for line in comparison.lines:
        lines.setdefault(line.metric, []).append(line)
    header = ["Region", "Pairs", own, other, "Difference", "95% interval", "p", "dz", "Better (p < 0.05)"]
    tables = {
        metric_title(metric): page.table(
            header, [_row(line, own, other) for line in found], caption=metric_title(metric)
        )
        for metric, found in lines.items()
    }
    return page.alternatives("Show", tables) if tables else ""


def _row(line: Line, own: str, other: str) -> list[Cell | str]:
    difference = line.differences[other]
    test, metric = difference.test, line.metric
    low, high = test.ci95 or (None, None)
    interval = f"{_signed(metric, low)} … {_signed(metric, high)}" if test.ci95 else "–"
    return [
        region_title(line.subject),
        Cell(str(test.pairs), test.pairs),
        _mean(metric, line.numbers[own], "own"),
        _mean(metric, line.numbers[other]),
        Cell(_signed(metric, test.mean), test.mean),
        Cell(interval, low),
        Cell(p_text(difference.p), difference.p),
        Cell("–" if test.cohens_dz is None else f"{test.cohens_dz:+.2f}".replace("-", "−"), test.cohens_dz),
        Cell(line.best if marks(difference.p) else "–"),
    ]


def _mean(metric: str, found: dict[str, Any], kind: str = "") -> Cell:
    text = mean_text(metric, found)
    return Cell(text.lstrip("+") if metric.endswith(BIAS) else text, found["mean"], kind=kind)


def _signed(metric: str, value: float | None) -> str:
    text = number(metric, value).text
    return text if value is None or text[0] in "+−" else f"+{text}"


def p_text(p: float | None) -> str:
    """A p-value with a useful number of digits."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
