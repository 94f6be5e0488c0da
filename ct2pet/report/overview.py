"""The overview at the top of the page: method, training and evaluation, from the provenance of a summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ct2pet.evaluation.origin import EVALUATED_TRAINING_CASES
from ct2pet.report.templates import render

Summary = Mapping[str, Any]
Curves = Mapping[str, Sequence[Mapping[str, float]]]
_ALL = "fold_all"


def overview(summary: Summary, curves: Curves) -> str:
    """A list of facts as HTML; without facts that are not recorded."""
    return render("overview.html", facts=list(_facts(summary, curves)))


def trainings(summary: Summary) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The records of the trainings of the predicting networks: {REGION: {FOLD: facts}}."""
    prediction = summary["provenance"].get("prediction")
    found = prediction.get("trained") if isinstance(prediction, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def seen_in_training(summary: Summary) -> set[str]:
    """The regions whose networks were trained with all cases (the fold "all"): their validation cases are training
    cases."""
    return {region for region, folds in trainings(summary).items() if set(folds) == {_ALL}}


def _facts(summary: Summary, curves: Curves) -> Iterator[tuple[str, str]]:
    provenance = summary["provenance"]
    prediction = provenance.get("prediction") or {}
    method = prediction.get("model") or provenance.get("model")
    plans = prediction.get("plans_name") or (provenance.get("plans") or {}).get("name")
    if method:
        yield "Method", f"{method}, plans {plans}" if plans else str(method)
    yield from _training_facts(summary, curves)
    failed, seen = provenance.get("failed_cases") or [], provenance.get(EVALUATED_TRAINING_CASES) or []
    cases = _counted(len(summary["cases"]), "case")
    details = [f"{len(failed)} failed"] * bool(failed) + [f"{len(seen)} of them training cases"] * bool(seen)
    yield "Evaluated", ", ".join([cases, *details])
    date = (provenance.get("run") or {}).get("date")
    version = ((provenance.get("run") or {}).get("versions") or {}).get("ct2pet")
    if date:
        yield "Evaluated on", f"{date}, ct2pet {version}" if version else str(date)


def _training_facts(summary: Summary, curves: Curves) -> Iterator[tuple[str, str]]:
    found = trainings(summary)
    if not found:
        return
    every = [facts for folds in found.values() for facts in folds.values()]
    runs = [facts.get("run") or {} for facts in every]
    folds = {fold.removeprefix("fold_") for own in found.values() for fold in own}
    yield "Networks", f"{', '.join(found)}; fold {', '.join(sorted(folds))}"
    counts = [facts["num_training_cases"] for facts in every if facts.get("num_training_cases") is not None]
    if counts:
        yield "Training cases", _range(counts)
    epochs = [len(rows) for rows in curves.values()] or [run["num_epochs"] for run in runs if run.get("num_epochs")]
    if epochs:
        steps = {run["iterations_per_epoch"] for run in runs if run.get("iterations_per_epoch")}
        each = f" of {next(iter(steps))} steps" if len(steps) == 1 else ""
        yield "Training", f"{_range(epochs)} epochs{each}"
    dates = sorted({run["date"] for run in runs if run.get("date")})
    if dates:
        yield "Trained on", dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


def _range(numbers: Iterable[int]) -> str:
    numbers = sorted(numbers)
    return str(numbers[0]) if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
