"""What a summary says in words: whether the prediction beats the trivial baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct2pet.evaluation.baselines import BLIND
from ct2pet.evaluation.label_summary import label_cases, summarise_labels
from ct2pet.evaluation.label_tables import COLUMNS, total_presence
from ct2pet.evaluation.names import LESIONS, TITLES, is_label, region_title
from ct2pet.planning.plans import WHOLE_BODY


def best_blind_baseline(summary: Mapping[str, Any], region: str) -> tuple[str, float] | None:
    """Name and MAE (SUV) of the best trivial baseline that does not see the real PET; None where none has an MAE."""
    values = {name: summary["baselines"][name].get(region, {}).get("mae") for name in BLIND}
    known = {name: value for name, value in values.items() if value is not None}
    return min(known.items(), key=lambda item: item[1]) if known else None


def plain_answer(summary: Mapping[str, Any]) -> str:
    """In words: is the prediction better than the best trivial baseline that does not see the real PET, and by how
    much (in SUV and %)? Over the whole body, then in which regions it is not, and how far lesions are off. How well do
    predicted labels overlap the true ones?"""
    region = WHOLE_BODY if WHOLE_BODY in summary["mean"] else next(iter(summary["mean"]), "")
    answer = _compared(summary, region) if region else None
    sentences = [answer, _where_not_better(summary, region), _lesions(summary)] if answer else []
    sentences.append(_labels(summary))
    return " ".join(filter(None, sentences)) or (
        "Nothing could be compared: there is no case with a mean absolute error or a Dice coefficient."
    )


def _labels(summary: Mapping[str, Any]) -> str:
    """The mean overlap, the label of the lowest one, and how many are missed."""
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


def _where_not_better(summary: Mapping[str, Any], besides: str) -> str:
    """Regions by name, of organs only how many: there may be a hundred."""
    gains = {name: _gain(summary, name) for name in summary["mean"] if name != besides}
    known = {name: gain for name, gain in gains.items() if gain is not None}
    organs = [gain for name, gain in known.items() if is_label(name)]
    worse = [region_title(name) for name, gain in known.items() if gain <= 0 and not is_label(name)]
    if any(gain <= 0 for gain in organs):
        worse.append(f"{sum(gain <= 0 for gain in organs)} of {len(organs)} organs")
    return f"It is not better in: {', '.join(worse)}." if worse else ""


def _lesions(summary: Mapping[str, Any]) -> str:
    bias = summary["mean"].get(LESIONS, {}).get("suv_mean_bias", {"mean": None})
    if bias["mean"] is None:
        return ""
    way = "too high" if bias["mean"] > 0 else "too low"
    return f"In lesions its mean SUV is {abs(bias['mean']):.0f}% {way} ({bias['n']} case(s))."


def _gain(summary: Mapping[str, Any], region: str) -> float | None:
    own, best = summary["mean"][region].get("mae", {}).get("mean"), best_blind_baseline(summary, region)
    return None if own is None or best is None else best[1] - own


def _compared(summary: Mapping[str, Any], region: str) -> str | None:
    gain, best = _gain(summary, region), best_blind_baseline(summary, region)
    if gain is None or best is None:
        return None
    number = summary["mean"][region]["mae"]
    verdict = "better" if gain > 0 else "worse" if gain < 0 else "no better"
    share = f" ({abs(gain) / best[1]:.0%})" if best[1] > 0 else ""
    where = "inside the body" if region == WHOLE_BODY else f"in the region {region}"
    return (
        f"The synthetic PET is {verdict} than the best trivial guess that does not see the real PET "
        f"({TITLES[best[0]]}) by {abs(gain):.3f} SUV{share}: a mean absolute error of {number['mean']:.3f} SUV "
        f"against {best[1]:.3f} SUV {where}, over {number['n']} case(s)."
    )
