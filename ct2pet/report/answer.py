"""The main results of the report: key numbers, and the share of cases with a lower error than the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ct2pet.evaluation.headline import best_blind_baseline
from ct2pet.evaluation.label_summary import label_cases, summarise_labels
from ct2pet.evaluation.label_tables import COLUMNS
from ct2pet.evaluation.names import LESIONS, TITLES
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page
from ct2pet.report.tables import number

Summary = Mapping[str, Any]


def errors_of(cases: Mapping[str, Any], region: str = WHOLE_BODY, metric: str = "mae") -> dict[str, float | None]:
    """One number per case with the region."""
    return {case: regions[region].get(metric) for case, regions in cases.items() if region in regions}


def certainty(own: Mapping[str, float | None], theirs: Mapping[str, float | None], name: str) -> str:
    """In words: the number of cases with a lower error than ``name``. Significance is given in the headline, which has
    the only family of tests."""
    cases = [case for case in own if own[case] is not None and theirs.get(case) is not None]
    lower = sum((own[case] or 0.0) < (theirs[case] or 0.0) for case in cases)
    return f"Its error is lower than that of {name} in {lower} of {len(cases)} cases." if cases else ""


def certainties(summary: Summary) -> list[str]:
    """The number of cases with a lower error than the best baseline that does not use the real PET; empty where
    unknown."""
    best = best_blind_baseline(summary, WHOLE_BODY)
    if best is None:
        return []
    theirs = errors_of(summary["baseline_cases"][best[0]])
    text = certainty(errors_of(summary["cases"]), theirs, TITLES[best[0]])
    return [text] if text else []


def tiles(summary: Summary) -> str:
    """The key numbers."""
    body, lesions = summary["mean"].get(WHOLE_BODY, {}), summary["mean"].get(LESIONS, {})
    shown = [
        ("Mean absolute error in the body", "mae", body, " SUV"),
        ("Structural similarity in the body", "ssim", body, ""),
        ("SUVmean bias in the body", "suv_mean_bias", body, "%"),
        ("SUVmean bias in lesions", "suv_mean_bias", lesions, "%"),
    ]
    parts = [
        _tile(title, found[metric], partial(_text, metric), unit)
        for title, metric, found, unit in shown
        if metric in found
    ]
    dice, column = summarise_labels(label_cases(summary["cases"])).mean.get("dice"), COLUMNS["dice"]
    parts += [_tile("Mean Dice coefficient of the labels", dice, column.text, column.unit)] if dice else []
    return page.wrapped("dl", "".join(parts), class_="tiles") if parts else ""


def _text(metric: str, value: float | None) -> str:
    return number(metric, value).text


def _tile(title: str, found: Mapping[str, Any], text: Callable[[float | None], str], unit: str) -> str:
    interval = ""
    if found["ci95"]:
        low, high = map(text, found["ci95"])
        interval = f"95% interval {low} … {high}, "
    cases = "1 case" if found["n"] == 1 else f"{found['n']} cases"
    value = text(found["mean"]) + (unit if found["mean"] is not None else "")
    parts = page.element("dt", title) + page.element("dd", value) + page.element("dd", interval + cases)
    return page.wrapped("div", parts)
