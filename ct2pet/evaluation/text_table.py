"""A summary as text for the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ct2pet.evaluation.baselines import NAMES
from ct2pet.evaluation.comparison import plain_answer
from ct2pet.evaluation.names import HEADERS, PREDICTION, TITLES, column_blocks, mean_text, value_text

FOOTNOTE = (
    "* made from the real PET: not an alternative, but a scale of what blur or misregistration cost. Mean ± standard "
    "error over cases. Columns named volume count the air around the patient too, which flatters every method."
)


def rows(summary: Mapping[str, Any], region: str, metrics: Sequence[str]) -> list[list[str]]:
    """The table of one region as text, the header first: the prediction (mean ± standard error), then the baselines."""
    means = summary["mean"][region]
    number = max((means[metric]["n"] for metric in metrics), default=0)
    header = [f"{region} (n = {number})", *(HEADERS.get(metric, metric) for metric in metrics)]
    table = [header, [TITLES[PREDICTION], *(mean_text(metric, means[metric]) for metric in metrics)]]
    for name in NAMES:
        values = summary["baselines"][name].get(region, {})
        table.append([TITLES[name], *(value_text(metric, values.get(metric)) for metric in metrics)])
    return table


def blocks(summary: Mapping[str, Any]) -> list[list[list[str]]]:
    """The tables (see ``rows``) of all regions, one after another: errors, biases, and those over the whole volume."""
    return [
        rows(summary, region, columns)
        for region, metrics in summary["mean"].items()
        for columns in column_blocks(metrics)
    ]


def table(summary: Mapping[str, Any]) -> str:
    """The summary as text for the screen: blocks per region, the prediction above the four baselines."""
    return "\n\n".join([*map(_aligned, blocks(summary)), FOOTNOTE, plain_answer(summary)])


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]])
