"""The texts of a comparison."""

from __future__ import annotations

import re

from ct2pet.evaluation.baselines import BLIND
from ct2pet.evaluation.comparing.comparison import DIAGNOSES, DISTRICTS, LABELS, ORGANS, WHOLE_VOLUME, Comparison, Line
from ct2pet.evaluation.names import BIAS, HEADERS, LESIONS, ORGAN, PREDICTION, TITLES, mean_text, value_text

MARKS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
CAPTIONS = {
    DISTRICTS: "Districts and whole body",
    LESIONS: "Lesions",
    ORGANS: "Organs",
    LABELS: "Predicted labels",
    DIAGNOSES: "Diagnoses, inside the body",
}
_UNIT = re.compile(r" \[(.+)\]$")


def marks(p: float | None) -> str:
    """One to three stars below 0.05, 0.01 and 0.001; none above, or where there is no test."""
    return next((mark for limit, mark in MARKS if p is not None and p < limit), "")


def p_text(p: float | None) -> str:
    return "–" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def model_title(comparison: Comparison, model: str) -> str:
    """A folder may have the name of a baseline, but is not one."""
    return TITLES.get(model, model) if comparison.with_baselines else model


def model_in_words(comparison: Comparison, model: str) -> str:
    """The title of a model within a sentence."""
    title = model_title(comparison, model)
    if not comparison.with_baselines:
        return title
    return f"the {title}" if model == PREDICTION else f"the trivial guess {title}" if model in BLIND else title


def family(comparison: Comparison) -> str:
    """The family of tests, in a sentence."""
    tested = [line for line in comparison.lines if line.tested]
    if not comparison.num_tests:
        return "Nothing was tested: too few cases."
    metrics = ", ".join(dict.fromkeys(metric_name(line.metric) for line in tested))
    subjects = ", ".join(dict.fromkeys(subject_title(line.subject).lower() for line in tested))
    rivals = ", ".join(model_title(comparison, rival) for rival in comparison.rivals)
    return (
        f"One family of {comparison.num_tests} test{'s' * (comparison.num_tests != 1)}: {metrics} in {subjects}, "
        f"against {rivals}; all else is described, not tested."
    )


def subject_title(subject: str) -> str:
    """A region, organ or diagnosis."""
    words = "whole volume with air" if subject == WHOLE_VOLUME else subject.removeprefix(ORGAN).replace("_", " ")
    return words[:1].upper() + words[1:]


def metric_title(metric: str) -> str:
    """Name and unit; for a bias the absolute value."""
    name = HEADERS.get(metric, metric)
    return f"|{name.replace(' [', '| [')}" if metric.endswith(BIAS) else name


def metric_name(metric: str) -> str:
    """Without the unit."""
    return _UNIT.sub("", metric_title(metric))


def metric_unit(metric: str) -> str:
    """The unit after a number: " SUV", "%", or empty."""
    found = _UNIT.search(metric_title(metric))
    return "" if found is None else "%" if found[1] == "%" else f" {found[1]}"


def arrow(line: Line) -> str:
    """The direction of better values."""
    return "↑" if line.higher_is_better else "↓"


def mean_with_error(line: Line, model: str) -> str:
    """Mean ± standard error over the cases, and, of several runs, (± standard error over the runs)."""
    numbers = line.numbers[model]
    error = numbers.get("se_runs")
    runs = "" if error is None else f" (± {plain(line.metric, error)})"
    return mean_text(line.metric, numbers).lstrip("+") + runs


def runs_note(comparison: Comparison) -> str:
    """What the numbers of models with several runs are, in a sentence; empty where each model has one run."""
    if not comparison.runs:
        return ""
    numbers = ", ".join(f"{model_title(comparison, model)} {len(names)}" for model, names in comparison.runs.items())
    return (
        f"Several runs (seeds) of a model: {numbers}. The value of a case is the mean of its runs; in parentheses: "
        "standard error over the runs."
    )


def plain(metric: str, value: float) -> str:
    """A value with the digits of its metric."""
    return value_text(metric, value).lstrip("+")


def signed(metric: str, value: float) -> str:
    shown = plain(metric, value)
    return shown if shown.startswith("-") else f"+{shown}"
