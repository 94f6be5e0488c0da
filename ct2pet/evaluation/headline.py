"""A summary in words: whether the prediction is better than the trivial baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct2pet.evaluation.comparing.comparison import compare_with_baselines
from ct2pet.evaluation.comparing.rival import best_blind_baseline, main_region
from ct2pet.evaluation.comparing.text import answer
from ct2pet.evaluation.label_summary import label_cases, summarise_labels
from ct2pet.evaluation.label_tables import COLUMNS, total_presence
from ct2pet.evaluation.names import LESIONS, LESIONS_OF, is_label, region_title

_MOST_ORGANS = 5  # named in a sentence


def plain_answer(summary: Mapping[str, Any]) -> str:
    """In words: the difference to the best trivial baseline that does not use the real PET (in SUV and %) and its
    significance, in the body and in lesions; the regions without a lower error; the bias in lesions; and the overlap of
    predicted labels."""
    region, sentences = main_region(summary), []
    if region and best_blind_baseline(summary, region) and all(summary["baseline_cases"].values()):
        comparison = compare_with_baselines(summary, ["mae"], check=False)
        sentences = [answer(comparison, comparison.rivals[0]), _where_not_lower(summary, region), _lesions(summary)]
    sentences.append(labels_answer(summary))
    return " ".join(filter(None, sentences)) or (
        "Nothing to compare: no case has a mean absolute error or a Dice coefficient."
    )


def labels_answer(summary: Mapping[str, Any]) -> str:
    """Of predicted labels the mean overlap, the label with the lowest one, and the number of missed labels; empty
    without labels."""
    found = summarise_labels(label_cases(summary["cases"]))
    known = {label: metrics["dice"] for label, metrics in found.labels.items() if metrics["dice"]["mean"] is not None}
    if not known:
        return ""
    column, worst = COLUMNS["dice"], min(known, key=lambda label: known[label]["mean"])
    presence = total_presence(list(found.presence.values()))
    missed = f" {presence.missed} of {presence.reference} labels are missed." if presence.missed else ""
    return (
        f"The predicted labels have a mean Dice coefficient of {column.text(found.mean['dice']['mean'])}{column.unit} "
        f"over {len(known)} label(s) and {found.mean['dice']['n']} case(s), the lowest in {region_title(worst)} "
        f"({column.text(known[worst]['mean'])}{column.unit}).{missed}"
    )


def _where_not_lower(summary: Mapping[str, Any], besides: str) -> str:
    """Regions by name, and the number of organs among them; a few organs by name, too."""
    gains = {name: _gain(summary, name) for name in summary["mean"] if name != besides}
    known = {name: gain for name, gain in gains.items() if gain is not None}
    organs = {region_title(name).removesuffix(" (organ)"): gain for name, gain in known.items() if is_label(name)}
    worse = [region_title(name) for name, gain in known.items() if gain <= 0 and not is_label(name)]
    of_organs = [name for name, gain in organs.items() if gain <= 0]
    if of_organs:
        names = f" ({', '.join(of_organs)})" if len(of_organs) <= _MOST_ORGANS else ""
        worse.append(f"{len(of_organs)} of {len(organs)} organs{names}")
    return f"Its mean error is not lower in: {', '.join(worse)}." if worse else ""


def _lesions(summary: Mapping[str, Any]) -> str:
    bias = summary["mean"].get(LESIONS, {}).get("suv_mean_bias", {"mean": None})
    if bias["mean"] is None:
        return ""
    groups = {
        region_title(name): found["suv_mean_bias"]
        for name, found in summary["mean"].items()
        if name.startswith(LESIONS_OF) and found["suv_mean_bias"]["mean"] is not None
    }
    parts = [f"in {title} {_deviation(found)}" for title, found in groups.items()]
    return f"In lesions its mean SUV is {_deviation(bias)}{': ' if parts else ''}{', '.join(parts)}."


def _deviation(bias: Mapping[str, Any]) -> str:
    way = "too high" if bias["mean"] > 0 else "too low"
    return f"{abs(bias['mean']):.0f}% {way} ({bias['n']} case(s))"


def _gain(summary: Mapping[str, Any], region: str) -> float | None:
    own, best = summary["mean"][region].get("mae", {}).get("mean"), best_blind_baseline(summary, region)
    return None if own is None or best is None else best[1] - own
