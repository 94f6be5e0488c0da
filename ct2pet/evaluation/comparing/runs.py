"""Several runs (seeds) of one model, as one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ct2pet.evaluation.statistics import describe

Values = list[tuple[float, ...]]  # by case, one for each run of a model


def over_runs(values: Values) -> list[float]:
    """The mean of the runs in each case."""
    return [sum(runs) / len(runs) for runs in values]


def describe_runs(values: Sequence[Sequence[float]]) -> dict[str, Any]:
    """``statistics.describe`` of the means of the runs in each case (``values``: by case, one for each run). With
    several runs also their number, ``runs``, and ``se_runs``: the standard error between runs of the mean over the
    cases."""
    found: dict[str, Any] = describe(over_runs([tuple(runs) for runs in values]))
    if values and len(values[0]) > 1:
        between = describe([sum(run) / len(run) for run in zip(*values)])
        found |= {"runs": between["n"], "se_runs": between["se"]}
    return found
