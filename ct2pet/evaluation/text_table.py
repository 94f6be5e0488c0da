"""A summary as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ct2pet.console import wrapped
from ct2pet.evaluation import label_tables
from ct2pet.evaluation.baselines import NAMES
from ct2pet.evaluation.columns import aligned
from ct2pet.evaluation.comparing.pairing import listed
from ct2pet.evaluation.comparing.rival import best_blind_baseline
from ct2pet.evaluation.headline import labels_answer, plain_answer
from ct2pet.evaluation.label_summary import label_cases, summarise_labels
from ct2pet.evaluation.names import (
    HEADERS,
    METHODS,
    ORGAN,
    PREDICTION,
    TITLES,
    column_blocks,
    is_label,
    mean_text,
    region_title,
    value_text,
)

FOOTNOTE = (
    "* made from the real PET: a reference for the effect of blur or misregistration. Mean ± standard "
    "error over cases. Columns named volume include the air around the patient, which improves all values."
)
_BEST_CONSTANT = (
    "Best constant: 0 or the median SUV of the body, whichever has the lower error. Mean ± standard error over n cases."
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


def region_blocks(summary: Mapping[str, Any]) -> list[list[list[str]]]:
    """The tables (see ``rows``) of all regions with a value but organs: errors, biases, and those over the whole
    volume."""
    return [
        rows(summary, region, columns)
        for region, metrics in summary["mean"].items()
        if not is_label(region) and any(found["n"] for found in metrics.values())
        for columns in column_blocks(metrics)
    ]


def organ_blocks(summary: Mapping[str, Any]) -> list[list[list[str]]]:
    """A table for each of two metrics: a line per organ, a column per method; empty where no PET is predicted."""
    tables = []
    for metric in ("mae", "suv_mean_bias"):
        organs = {
            name: metrics for name, metrics in summary["mean"].items() if name.startswith(ORGAN) and metric in metrics
        }
        table = [[f"organs: {HEADERS[metric]}", *(TITLES[method] for method in METHODS)]]
        for name, metrics in organs.items():
            title = f"{name.removeprefix(ORGAN)} (n = {metrics[metric]['n']})"
            others = [summary["baselines"][method].get(name, {}).get(metric) for method in NAMES]
            table.append([title, mean_text(metric, metrics[metric]), *(value_text(metric, value) for value in others)])
        tables += [table] if organs else []
    return tables


def label_block(summary: Mapping[str, Any], width: int | None = None) -> list[str]:
    """The table of the predicted labels as text, if there are any."""
    labels = summarise_labels(label_cases(summary["cases"]))
    return [label_tables.text_table(labels, width)] if labels.labels else []


def detection_blocks(summary: Mapping[str, Any]) -> list[list[list[str]]]:
    """Detected lesions and false hot spots, a column per threshold; empty where no case has a lesion mask."""
    found = summary["detection"]
    head = [f"SUV ≥ {threshold:g}" for threshold in found["thresholds_suv"]]
    kinds = {
        "sensitivity": f"detected share of the {found['lesions']} lesions",
        "false_positives": f"hot spots outside lesions, per scan (of {found['scans']})",
        "false_hot_spots": "of these below the threshold in the real PET",
    }
    tables = []
    for kind, title in kinds.items() if found["curves"] else ():
        lines = [[TITLES[method], *map(_short, curve[kind])] for method, curve in found["curves"].items()]
        tables.append([[title, *head], *lines])
        if kind == "sensitivity":
            tables += [[[_group_title(summary, group), *head], *own] for group, own in _by_group(found).items()]
    return tables


def _by_group(found: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """By group of lesions: the sensitivity of each method."""
    groups = found["curves"][PREDICTION].get("by_group", {})
    return {
        group: [
            [TITLES[method], *map(_short, curve["by_group"][group]["sensitivity"])]
            for method, curve in found["curves"].items()
        ]
        for group in groups
    }


def _group_title(summary: Mapping[str, Any], group: str) -> str:
    number = summary["detection"]["curves"][PREDICTION]["by_group"][group]["lesions"]
    return f"of the {number} lesions {group.replace('_', ' ')}"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def table(summary: Mapping[str, Any], organs: bool = True, width: int | None = None) -> str:
    """The summary as text: the result in words, then a block per region with the prediction and the four baselines.
    ``organs``: whether each organ has a line. ``width``: the most characters of a line, for a terminal."""
    of_organs = organ_blocks(summary)
    blocks = [*region_blocks(summary), *(of_organs if organs else []), *detection_blocks(summary)]
    errors = [*(aligned(block, width=width) for block in blocks), wrapped(FOOTNOTE, width)] if blocks else []
    left_out = [f"{len(of_organs[0]) - 1} organs: --verbose lists them"] if of_organs and not organs else []
    words = (wrapped(text, width) for text in (plain_answer(summary), *_not_predicted(summary)))
    return "\n\n".join([*words, *errors, *left_out, *label_block(summary, width)])


def short_table(summary: Mapping[str, Any]) -> str:
    """The main numbers as text: the MAE of each region but organs, beside the best constant, and the overlap of
    predicted labels in words."""
    lines = [["MAE [SUV]", TITLES[PREDICTION], "best constant", "difference"]]
    for region, metrics in summary["mean"].items():
        own, best = metrics.get("mae"), best_blind_baseline(summary, region)
        if own is None or own["mean"] is None or best is None or is_label(region):
            continue
        title = f"{region_title(region)} (n = {own['n']})"
        change = f"{100 * (own['mean'] / best[1] - 1):+.0f}%" if best[1] else "–"
        lines.append([title, mean_text("mae", own), value_text("mae", best[1]), change])
    errors = [aligned(lines), _BEST_CONSTANT] if len(lines) > 1 else []
    return "\n\n".join(filter(None, [*errors, labels_answer(summary)]))


def _not_predicted(summary: Mapping[str, Any]) -> list[str]:
    """A line on districts for which there was no model."""
    cases: dict[str, list[str]] = {}
    for case, names in summary.get("provenance", {}).get("not_predicted", {}).items():
        for name in names:
            cases.setdefault(name, []).append(case)
    if not cases:
        return []
    parts = [f"{name} in {len(own)} case(s) ({listed(own)})" for name, own in sorted(cases.items())]
    return [f"Not predicted, because no model is trained, and left out: {'; '.join(parts)}."]
