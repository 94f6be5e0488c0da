"""The plots of the report, selected from a summary, and as HTML."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ct2pet.evaluation.names import (
    BIAS,
    EACH_LESION,
    PREDICTION,
    QUANTITIES,
    REAL,
    TITLES,
    UNITS,
    is_label,
    region_title,
)
from ct2pet.layout import VALIDATION_METRIC
from ct2pet.report import page
from ct2pet.report.answer import errors_of
from ct2pet.report.colours import SERIES
from ct2pet.report.plots import (
    Draw,
    Series,
    draw_agreement,
    draw_boxes,
    draw_detection,
    draw_losses,
    draw_validation,
    figure_of,
    validation_title,
)
from ct2pet.report.svg import inline_svg
from ct2pet.report.tables import metric_title

Summary = Mapping[str, Any]
Other = tuple[str, Summary] | None
Anchors = Mapping[str, str]
Rows = Sequence[Mapping[str, float]]

BOX_METRICS = ("mae", "ssim", f"suv_mean{BIAS}", f"suv_max{BIAS}")
AGREEMENT_QUANTITIES = ("suv_mean", "suv_max", "suv_peak")
_FOLD_ALL = ", fold all"
_BOX_BASELINES = ("body_median", "shifted")


def box_plots(summary: Summary, metric: str, other: Other = None, anchors: Anchors | None = None) -> dict[str, Draw]:
    """A plot for each region except the organs: the synthetic PET, the other model, and two baselines."""
    draws: dict[str, Draw] = {}
    for region, metrics in summary["mean"].items():
        found = metrics.get(metric, {"n": 0})
        if is_label(region) or not found["n"]:
            continue
        series = [Series(TITLES[PREDICTION], errors_of(summary["cases"], region, metric), SERIES[0], anchors)]
        if other:
            series.append(Series(other[0], errors_of(other[1]["cases"], region, metric), SERIES[1], anchors))
        for name, colour in zip(_BOX_BASELINES, SERIES[2:]):
            values = errors_of(summary["baseline_cases"][name], region, metric)
            series.append(Series(TITLES[name].replace("real PET, ", ""), values, colour))
        title = f"{region_title(region)} (n = {found['n']})"
        draws[title] = partial(draw_boxes, title=title, unit=metric_title(metric), series=series)
    return draws


def agreement_plots(summary: Summary, quantity: str, anchors: Anchors | None = None) -> dict[str, Draw]:
    """A Bland-Altman plot for each region except the organs, and one of all single lesions."""
    draws: dict[str, Draw] = {}
    for region, found in summary["agreement"].get(PREDICTION, {}).items():
        numbers = found.get(quantity, {"n": 0})
        if is_label(region) or not numbers["n"]:
            continue
        pairs, places = _pairs(summary, region, quantity, anchors or {})
        title = f"{region_title(region)} (n = {numbers['n']})"
        unit = UNITS.get(quantity, "SUV")
        draws[title] = partial(
            draw_agreement, title=title, unit=unit, pairs=pairs, numbers=numbers, anchors=places if anchors else None
        )
    return draws


def _pairs(summary: Summary, region: str, quantity: str, anchors: Anchors) -> tuple[dict, dict[str, str]]:
    """The (real, synthetic) pairs of cases, or of single lesions, by name; and the link of each name."""
    if region == EACH_LESION:
        named = {
            f"{case}, lesion {index}": (case, lesion)
            for case, lesions in summary["lesions"].items()
            for index, lesion in enumerate(lesions, start=1)
        }
    else:
        named = {case: (case, regions[region]) for case, regions in summary["cases"].items() if region in regions}
    keys = f"real_{quantity}", f"fake_{quantity}"
    pairs = {name: (values.get(keys[0]), values.get(keys[1])) for name, (_, values) in named.items()}
    return pairs, {name: anchors.get(name, anchors.get(case, "cases")) for name, (case, _) in named.items()}


def detection_plot(summary: Summary, other: Other = None) -> dict[str, Draw]:
    """The free-response curve of the lesions; empty without lesions."""
    found = summary["detection"]
    if not found["lesions"]:
        return {}
    curves = {TITLES[PREDICTION]: found["curves"][PREDICTION], TITLES[REAL]: found["curves"][REAL]}
    if other and other[1]["detection"]["lesions"]:
        curves[other[0]] = other[1]["detection"]["curves"][PREDICTION]
    points = {name: (curve["false_positives"], curve["sensitivity"]) for name, curve in curves.items()}
    return {"lesions detected": partial(draw_detection, thresholds=found["thresholds_suv"], curves=points)}


def training_plots(curves: Mapping[str, Rows], seen: Collection[str] = ()) -> dict[str, Draw]:
    """The losses and validation metrics of each training, by the name of its region, or of region and fold
    ("head, fold 0"). ``seen``: regions whose validation cases are their training cases; so are those of each fold
    "all"."""
    draws: dict[str, Draw] = {}
    for name, rows in curves.items():
        draws[f"{name}: losses"] = partial(draw_losses, title=f"{name}: losses", rows=rows)
        for column in dict.fromkeys(key for row in rows for key in row if key.startswith(VALIDATION_METRIC)):
            label = validation_title(column, on_training_cases=name in seen or name.endswith(_FOLD_ALL))
            title = f"{name}: {label}"
            draws[title] = partial(draw_validation, title=title, rows=rows, column=column, label=label)
    return draws


def as_html(draws: Mapping[str, Draw], what: str, identity: str) -> str:
    """Small plots side by side. ``what``: their description for screen readers."""
    plots = [
        inline_svg(figure_of([draw]), f"{what}, {title}", f"{identity}{index}")
        for index, (title, draw) in enumerate(draws.items())
    ]
    return page.wrapped("div", "".join(plots), class_="plots") if plots else ""


def box_section(summary: Summary, other: Other, anchors: Anchors) -> Iterator[str]:
    """Box plots by metric."""
    parts = {}
    for index, metric in enumerate(BOX_METRICS):
        html = as_html(box_plots(summary, metric, other, anchors), f"{metric_title(metric)} by case", f"box{index}-")
        if html:
            parts[metric_title(metric)] = html
    if parts:
        yield page.element("h2", "Spread over cases", id="plots")
        yield page.element("p", BOX_NOTE, class_="quiet")
        yield page.alternatives("Show", parts)


def agreement_section(summary: Summary, anchors: Anchors) -> Iterator[str]:
    """Bland-Altman plots by quantity."""
    parts = {}
    for index, quantity in enumerate(AGREEMENT_QUANTITIES):
        draws = agreement_plots(summary, quantity, anchors)
        if draws:
            parts[QUANTITIES[quantity]] = as_html(draws, f"Bland-Altman plot of {quantity}", f"agreement{index}-")
    if parts:
        yield page.element("h2", "Agreement with the real PET", id="agreement")
        yield page.element("p", AGREEMENT_NOTE, class_="quiet")
        yield page.alternatives("Show", parts)


BOX_NOTE = (
    "Each point is a case and links to it. Box: quartiles and median; whiskers: up to 1.5 times the box beyond it. "
    "Below five cases only the median is drawn. Shifted *: the real PET, moved by 5 mm."
)
AGREEMENT_NOTE = (
    "Bland–Altman: difference over mean of both PETs. Solid line: mean difference; dashed: ± 1.96 standard deviations "
    "(limits of agreement). Both PETs agree on the thin line at 0."
)
