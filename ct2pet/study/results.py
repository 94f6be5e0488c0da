"""Summary of the runs of a study: numbers by arm, their intervals, tests against real images alone, a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ct2pet.evaluation.statistics import holm
from ct2pet.study.arms import ORACLE, REAL
from ct2pet.study.statistics import (
    auc_difference,
    auc_interval,
    classification,
    delong_test,
    gain_share_interval,
    mcnemar,
    p_of_runs,
)

_THRESHOLD = 0.5
_SHARES = ("accuracy", "sensitivity", "specificity", "auc")
Result = Mapping[str, Any]


def summarize(labels: np.ndarray, results: Sequence[Result]) -> dict[str, Any]:
    """``arms``: a list with a row for each arm, ratio and classifier, see ``_row``; ``runs``: the results themselves;
    ``test_patients``: by class (index)."""
    groups: dict[tuple[str, str, float], list[Result]] = {}
    for result in results:
        groups.setdefault((result["classifier"], result["arm"], result["ratio"]), []).append(result)
    rows = [_row(labels, group, groups) for group in groups.values()]
    for test in ("p_bootstrap", "p_delong", "p_mcnemar"):
        for row, p in zip(rows, holm([row[test] for row in rows])):
            row[f"{test}_holm"] = p
    return {"test_patients": np.bincount(labels).tolist(), "arms": rows, "runs": list(results)}


def _row(labels: np.ndarray, group: Sequence[Result], groups: Mapping[tuple, Sequence[Result]]) -> dict[str, Any]:
    """Means over the runs, also of the number of images; confusion counts are summed over them. The difference to
    ``real`` has a bootstrap interval and p-value over patients and runs; DeLong's and McNemar's tests compare run by
    run, and have twice the median p-value. All are also corrected by Holm for the number of comparisons. None is what
    does not apply."""
    first = group[0]
    scores = _scores(group)
    each = [classification(labels, own, _THRESHOLD) for own in scores]
    row: dict[str, Any] = {key: first[key] for key in ("classifier", "arm", "ratio")}
    images = round(np.mean([result["images"] for result in group]))
    row |= {"runs": len(group), "images": images, "counts": _summed([result["counts"] for result in group])}
    row |= {name: float(np.mean([asdict(own)[name] for own in each])) for name in _SHARES}
    row["confusion"] = np.sum([own.confusion for own in each], axis=0).tolist()
    row["auc_ci95"] = auc_interval(labels, scores)
    real = groups.get((first["classifier"], REAL, 0.0))
    compared = first["arm"] != REAL and real is not None
    row |= _comparison(labels, _scores(real or group), scores) if compared else dict.fromkeys(_COMPARISON)
    oracle = groups.get((first["classifier"], ORACLE, 0.0))
    row["share_of_oracle_gain"] = row["share_of_oracle_gain_ci95"] = None
    if compared and oracle is not None and first["arm"] != ORACLE:
        row |= _share(labels, _scores(real or group), scores, _scores(oracle))
    return row


_COMPARISON = ("auc_difference", "auc_difference_ci95", "p_bootstrap", "p_delong", "p_mcnemar")


def _comparison(labels: np.ndarray, real: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    difference = auc_difference(labels, real, scores)
    delong = None
    if np.bincount(labels, minlength=2).min() > 1:  # of one patient there is no variance
        delong = p_of_runs([delong_test(labels, first, second).p for first, second in zip(real, scores)])
    right = [(own >= _THRESHOLD) == (labels == 1) for own in (real, scores)]
    answers = p_of_runs([mcnemar(first, second) for first, second in zip(*right)])
    return dict(zip(_COMPARISON, (difference.mean, difference.ci95, difference.p, delong, answers)))


def _share(labels: np.ndarray, real: np.ndarray, scores: np.ndarray, oracle: np.ndarray) -> dict[str, Any]:
    interval = gain_share_interval(labels, real, scores, oracle)
    if interval is None:
        return {}
    areas = [np.mean([classification(labels, own).auc for own in runs]) for runs in (real, scores, oracle)]
    share = float((areas[1] - areas[0]) / (areas[2] - areas[0]))
    return {"share_of_oracle_gain": share, "share_of_oracle_gain_ci95": interval}


def _scores(group: Sequence[Result]) -> np.ndarray:
    return np.array([result["probabilities"] for result in group])


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for own in counts:
        for name, number in own.items():
            total[name] = total.get(name, 0) + number
    return total


def text_table(study: Mapping[str, Any]) -> str:
    """The arms of a study as a table for the terminal, with what its numbers mean."""
    header = (
        "classifier",
        "arm",
        "ratio",
        "images",
        "AUC [95%]",
        "sens",
        "spec",
        "dAUC to real [95%]",
        "p",
        "of oracle",
    )
    rows = [header, *(_cells(row) for row in study["arms"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    negative, positive = study["test_patients"]
    runs = max(row["runs"] for row in study["arms"])
    notes = [
        f"{negative} + {positive} real test patients, {runs} run(s) each. AUC, sensitivity and specificity are means",
        "of the runs; intervals and p are bootstrapped over patients and runs, p is corrected by Holm.",
        "Of oracle: share of the gain that more real patients bring.",
    ]
    counts = [
        f"{row['classifier']} {row['arm']}: " + ", ".join(f"{name} {number}" for name, number in row["counts"].items())
        for row in study["arms"]
        if "drawn" in row["counts"]
    ]
    return "\n".join([*lines, "", *notes, *counts])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = row["auc_ci95"]
    difference, p, share = "", "", ""
    if row["auc_difference"] is not None:
        ends = row["auc_difference_ci95"]
        difference = f"{row['auc_difference']:+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}]"
        p = f"{row['p_bootstrap_holm']:.3g}"
    if row["share_of_oracle_gain"] is not None:
        share = "{:.0%} [{:.0%}, {:.0%}]".format(row["share_of_oracle_gain"], *row["share_of_oracle_gain_ci95"])
    return (
        row["classifier"],
        row["arm"],
        f"{row['ratio']:g}" if row["ratio"] else "",
        str(row["images"]),
        f"{row['auc']:.3f} [{low:.3f}, {high:.3f}]",
        f"{row['sensitivity']:.2f}",
        f"{row['specificity']:.2f}",
        difference,
        p,
        share,
    )
