"""The tables of ``rivals.py`` in Markdown: the errors of every arm, and the differences from the first arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from _lesion_tables import SHOWN
from comparison import TRAINING

from ct2pet.evaluation.comparing.comparison import Comparison, Difference
from ct2pet.evaluation.names import HEADERS, LESIONS, mean_text, region_title
from ct2pet.evaluation.summary_file import read_summary
from ct2pet.files import read_json
from ct2pet.layout import SUMMARY
from ct2pet.planning.plans import WHOLE_BODY

_BIAS = "suv_mean_bias"
COMPARED = ("mae", _BIAS)
_ERRORS = ((WHOLE_BODY, "mae"), (WHOLE_BODY, "psnr"), (WHOLE_BODY, "ssim"), (LESIONS, _BIAS), (SHOWN, _BIAS))


def table(folders: Mapping[str, Path]) -> str:
    """Steps, and mean ± standard error of the errors, in Markdown; the body median is the last row."""
    rows = [["arm", "steps", *map(_title, _ERRORS)]]
    for name, folder in folders.items():
        summary, steps = read_summary(folder / SUMMARY), sum(one["steps"] for one in read_json(folder / TRAINING))
        rows.append([name, str(steps), *(_mean(summary["mean"], *one) for one in _ERRORS)])
    median = {
        region: {metric: {"mean": value, "se": None} for metric, value in values.items()}
        for region, values in summary["baselines"]["body_median"].items()
    }
    rows.append(["body median", "–", *(_mean(median, *one) for one in _ERRORS)])
    return _markdown(rows)


def _mean(means: Mapping[str, Mapping[str, Any]], region: str, metric: str) -> str:
    return mean_text(metric, means[region][metric]) if metric in means.get(region, {}) else "–"


def _title(error: tuple[str, str]) -> str:
    region, metric = error
    return f"{region_title(region)}: {HEADERS[metric]}"


def differences(comparison: Comparison) -> str:
    """Each rival minus the first arm in the body and in lesions, in Markdown; a bias by its size. Lesions that the CT
    shows are part of all lesions and not tested."""
    rows = [["compared", "in", "difference [95%]", "cases", "p (t)", "p (Wilcoxon)", "p (corrected)"]]
    lines = {(line.subject, line.metric): line for line in comparison.lines}
    errors = [error for error in _ERRORS if error[1] in COMPARED and error in lines]
    first, *others = comparison.models
    for other, error in product(others, errors):
        rows.append([f"{other} − {first}", _title(error), *_numbers(error[1], lines[error].differences[other])])
    return _markdown(rows)


def _numbers(metric: str, found: Difference) -> list[str]:
    test, digits = found.test, 1 if metric == _BIAS else 3
    mean = "–" if test.mean is None else f"{test.mean:+.{digits}f}"
    ends = "" if test.ci95 is None else f" [{test.ci95[0]:+.{digits}f}, {test.ci95[1]:+.{digits}f}]"
    tested = (test.p_t, test.p_wilcoxon, found.p)
    return [f"{mean}{ends}", str(test.pairs), *map(_p_text, tested)]


def _p_text(p: float | None) -> str:
    if p is None:
        return "–"
    return f"{p:.4f}" if p >= 1e-4 else "< 0.0001"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
