"""The section of errors and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ct2pet.evaluation.origin import EVALUATED_TRAINING_CASES
from ct2pet.report.overview import seen_in_training
from ct2pet.report.templates import render

Summary = Mapping[str, Any]


def warnings_section(summary: Summary, doubts: Mapping[str, Sequence[str]]) -> str:
    """The section as HTML. ``doubts``: the segmenter's warnings on the district map of each case."""
    return render("warnings.html", found=list(_found(summary, doubts)))


def _found(summary: Summary, doubts: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    provenance = summary["provenance"]
    prediction = provenance.get("prediction") or {}
    groups = {
        "Cases that could not be evaluated": provenance.get("failed_cases") or [],
        "Training cases of a network among the evaluated cases": provenance.get(EVALUATED_TRAINING_CASES) or [],
        "Districts without a trained model, not predicted": prediction.get("districts_without_model") or [],
    }
    for title, names in groups.items():
        if names:
            yield title, [", ".join(map(str, names))]
    if doubts:
        yield "District maps to check", [f"{case}: {'; '.join(texts)}" for case, texts in doubts.items()]
    seen = sorted(seen_in_training(summary))
    if seen:
        yield (
            "Validation on training cases",
            [f"{', '.join(seen)}: trained on all cases (fold all); the curves of the training show training cases."],
        )
