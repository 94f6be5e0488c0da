"""Label metrics of many cases as one table: each label over cases, or over the means of folds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct2pet.errors import DatasetError
from ct2pet.evaluation.names import LABEL_METRICS, ORGAN, PREDICTED_ORGAN
from ct2pet.evaluation.results import Metrics, Regions
from ct2pet.evaluation.statistics import describe

LabelCases = Mapping[str, Mapping[str, Metrics]]  # {CASE: {LABEL: {METRIC: value or None}}}
_KEPT = (*LABEL_METRICS, "real_volume_ml", "fake_volume_ml")
Descriptions = dict[str, dict[str, Any]]  # {METRIC: as of statistics.describe}


@dataclass(frozen=True)
class Presence:
    """The number of cases with a label in the reference; of those without it in the prediction (``missed``); and of
    those with it only in the prediction (``invented``)."""

    reference: int = 0
    missed: int = 0
    invented: int = 0


@dataclass(frozen=True)
class LabelSummary:
    """``labels``: {LABEL: {METRIC: description}} over ``number`` units, which are ``over``: "cases", or "folds" (then
    each value is a mean over the cases of a fold). ``mean``: the mean over the labels of each unit, described in the
    same way. ``presence`` counts cases. Undefined values are in no mean: for example the distances of a missed label;
    therefore missed labels are counted.
    """

    over: str
    number: int
    labels: Mapping[str, Descriptions]
    mean: Descriptions
    presence: Mapping[str, Presence]


def label_cases(cases: Mapping[str, Regions]) -> LabelCases:
    """The label metrics in the ``cases`` of a summary.json. The biases are those in the predicted label (see
    ``organ_uptake``), not those in the reference label."""
    return {
        case: {
            region.removeprefix(ORGAN): {
                metric.removeprefix(PREDICTED_ORGAN): value
                for metric, value in metrics.items()
                if metric in _KEPT or metric.startswith(PREDICTED_ORGAN)
            }
            for region, metrics in regions.items()
            if LABEL_METRICS[0] in metrics
        }
        for case, regions in cases.items()
    }


def mean_dice(regions: Mapping[str, Mapping[str, float | None]]) -> float | None:
    """The mean Dice coefficient over the labels of one case of a summary.json; None where it has none."""
    return _mean(metrics[LABEL_METRICS[0]] for metrics in regions.values() if LABEL_METRICS[0] in metrics)


def summarise_labels(cases: LabelCases, folds: Mapping[str, object] | None = None) -> LabelSummary:
    """The summary of ``cases``, each as of ``label_metrics`` (with ``organ_uptake`` added, if wanted).

    ``folds``: the fold in which each case was predicted. The description is then that of one mean per fold, as in
    tables of cross-validations ("mean ± SD over 5 folds"). Raises DatasetError where a case has no fold.
    """
    units = [[case] for case in cases] if folds is None else _by_fold(cases, folds)
    values = {
        label: {metric: [_mean_of(cases, unit, label, metric) for unit in units] for metric in metrics}
        for label, metrics in _metrics_by_label(cases).items()
    }
    every = dict.fromkeys(metric for metrics in values.values() for metric in metrics)
    rows = {metric: [metrics[metric] for metrics in values.values() if metric in metrics] for metric in every}
    return LabelSummary(
        "cases" if folds is None else "folds",
        len(units),
        {label: {metric: describe(found) for metric, found in metrics.items()} for label, metrics in values.items()},
        {metric: describe([_mean(column) for column in zip(*found)]) for metric, found in rows.items()},
        label_presence(cases),
    )


def label_presence(cases: LabelCases) -> dict[str, Presence]:
    """The cases with each label, missed labels, and invented labels, from the volumes in both maps."""
    found = {}
    for label in _metrics_by_label(cases):
        volumes = [
            (metrics[label].get("real_volume_ml"), metrics[label].get("fake_volume_ml"))
            for metrics in cases.values()
            if label in metrics
        ]
        found[label] = Presence(
            sum(bool(real) for real, _ in volumes),
            sum(bool(real) and not fake for real, fake in volumes),
            sum(bool(fake) and not real for real, fake in volumes),
        )
    return found


def standard_deviation(description: Mapping[str, Any]) -> float | None:
    """The standard deviation (n - 1) of described values; None below two."""
    return None if description["se"] is None else description["se"] * math.sqrt(description["n"])


def _by_fold(cases: LabelCases, folds: Mapping[str, object]) -> list[list[str]]:
    without = [case for case in cases if case not in folds]
    if without:
        raise DatasetError(f"no fold of {', '.join(without)}; give the fold that predicted each case")
    groups: dict[object, list[str]] = {}
    for case in cases:
        groups.setdefault(folds[case], []).append(case)
    return list(groups.values())


def _metrics_by_label(cases: LabelCases) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = {}
    for labels in cases.values():
        for label, metrics in labels.items():
            found.setdefault(label, {}).update(dict.fromkeys(metrics))
    return {label: list(metrics) for label, metrics in found.items()}


def _mean_of(cases: LabelCases, unit: Sequence[str], label: str, metric: str) -> float | None:
    return _mean(cases[case].get(label, {}).get(metric) for case in unit)


def _mean(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
