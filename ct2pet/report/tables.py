"""The tables of the report, from the content of ``summary.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ct2pet.evaluation.baselines import NAMES
from ct2pet.evaluation.label_summary import mean_dice
from ct2pet.evaluation.label_tables import COLUMNS
from ct2pet.evaluation.names import (
    HEADERS,
    LABEL_METRICS,
    LESIONS,
    PREDICTION,
    REAL,
    TITLES,
    is_label,
    is_measurement,
    mean_text,
    metrics_of,
    region_title,
    value_text,
)
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.report import page
from ct2pet.report.page import Cell

Summary = Mapping[str, Any]
Row = list[Cell | str]
_SHORT = ("mae", "psnr", "ssim", "suv_mean_bias")  # metrics of a case in one line


def metric_title(metric: str) -> str:
    return HEADERS.get(metric, metric)


def number(metric: str, value: float | None, kind: str = "") -> Cell:
    """A cell with a metric's value."""
    return Cell(value_text(metric, value).replace("-", "−"), value, kind=kind)


def tables_by_metric(summary: Summary, other: tuple[str, Summary] | None = None) -> str:
    """For each metric a table: the regions, and in each the synthetic PET, the other model and the baselines; the
    organs are collapsed. Empty where no PET was predicted; for labels see label_section."""
    metrics = metrics_of({metric for region in summary["mean"].values() for metric in region})
    shown = [metric for metric in metrics if not is_measurement(metric) and metric not in LABEL_METRICS]
    tables = {}
    for metric in shown:
        regions = [region for region, metrics in summary["mean"].items() if metric in metrics]
        organs = [region for region in regions if is_label(region)]
        table = _metric_table(summary, metric, [region for region in regions if region not in organs], other)
        if organs:
            table += page.details(f"{len(organs)} organs", _metric_table(summary, metric, organs, other))
        tables[metric_title(metric)] = table
    return page.alternatives("Show", tables) if tables else ""


def _metric_table(summary: Summary, metric: str, regions: Sequence[str], other: tuple[str, Summary] | None) -> str:
    others = [other[0]] if other else []
    header = ["Region", "Cases", TITLES[PREDICTION], "95% interval", "Median [quartiles]", *others]
    rows = []
    for region in regions:
        found = summary["mean"][region][metric]
        row: Row = [region_title(region), Cell(str(found["n"]), found["n"]), *_description(metric, found)]
        if other:
            theirs = other[1]["mean"].get(region, {}).get(metric)
            row.append(_mean(metric, theirs) if theirs else Cell("–"))
        rows.append([*row, *(number(metric, summary["baselines"][name].get(region, {}).get(metric)) for name in NAMES)])
    return page.table([*header, *(TITLES[name] for name in NAMES)], rows, caption=metric_title(metric))


def _mean(metric: str, found: Mapping[str, Any], kind: str = "") -> Cell:
    return Cell(mean_text(metric, found).replace("-", "−"), found["mean"], kind=kind)


def _description(metric: str, found: Mapping[str, Any]) -> list[Cell]:
    """Mean ± standard error, the interval of the mean, and median with quartiles."""
    interval, quartiles = found["ci95"], [found["q25"], found["q75"]]
    between = f"{_range(metric, interval)}" if interval else "–"
    middle = f"{number(metric, found['median']).text} [{_range(metric, quartiles)}]" if found["n"] else "–"
    return [
        _mean(metric, found, "own"),
        Cell(between, interval[0] if interval else None),
        Cell(middle, found["median"]),
    ]


def _range(metric: str, ends: Sequence[float | None]) -> str:
    return " … ".join(number(metric, end).text for end in ends)


def group_table(summary: Summary) -> str:
    """The diagnoses side by side, inside the body; empty without diagnoses."""
    if not summary["groups"]:
        return ""
    rows = []
    for diagnosis, regions in summary["groups"].items():
        body = regions.get(WHOLE_BODY, {})
        lesions = regions.get(LESIONS, {}).get("suv_mean_bias")
        cases = max((found["n"] for found in body.values()), default=0)
        row: Row = [
            diagnosis,
            Cell(str(cases), cases),
            *(_mean(m, body[m]) if m in body else Cell("–") for m in _SHORT),
        ]
        rows.append([*row, _mean("suv_mean_bias", lesions) if lesions else Cell("–")])
    header = ["Diagnosis", "Cases", *map(metric_title, _SHORT), "Lesions: SUVmean bias [%]"]
    return page.table(header, rows, caption="By diagnosis, inside the body")


def detection_table(summary: Summary) -> str:
    """The share of detected lesions at each SUV threshold, and the number of false positives."""
    found = summary["detection"]
    if not found["lesions"]:
        return ""
    real, fake = found["curves"][REAL], found["curves"][PREDICTION]
    columns = {
        "Detected in the real PET": (real["sensitivity"], 100),
        "Detected in the synthetic PET": (fake["sensitivity"], 100),
        "False positives per scan, real": (real["false_positives"], 1),
        "False positives per scan, synthetic": (fake["false_positives"], 1),
        "Hot only in the synthetic PET, per scan": (fake["false_hot_spots"], 1),
        "… per scan without lesions": (fake["false_hot_spots_negative"], 1),
    }
    groups = fake.get("by_group", {})
    columns |= {f"Detected, {region_title(name)}": (of["sensitivity"], 100) for name, of in groups.items()}
    rows = []
    for index, threshold in enumerate(found["thresholds_suv"]):
        values = [(values[index], factor) for values, factor in columns.values()]
        row: Row = [f"SUV ≥ {threshold:g}", *(_share(value, factor) for value, factor in values)]
        rows.append(row)
    caption = f"{found['lesions']} lesions in {found['scans']} scans, of which {found['negative_scans']} have none"
    caption += "".join(f"; {of['lesions']} {region_title(name)}" for name, of in groups.items())
    return page.table(["Threshold", *columns], rows, caption=caption)


def _share(value: float | None, factor: float) -> Cell:
    if value is None:
        return Cell("–")
    return Cell(f"{value * factor:.0f}%" if factor == 100 else f"{value:.2f}", value)


def lesion_table(summary: Summary, anchors: Mapping[str, str]) -> str:
    """Every lesion with its size and its uptake in both PETs; empty without lesions."""
    rows = []
    for case, lesions in summary["lesions"].items():
        for index, lesion in enumerate(lesions, start=1):
            real, fake = lesion.get("real_suv_max"), lesion.get("fake_suv_max")
            link = anchors.get(f"{case}, lesion {index}", anchors[case])
            row = [Cell(f"{case}, {index}", link=link), Cell(region_title(lesion.get("district") or "–"))]
            row += [_plain(lesion.get("volume_ml"), 1), _plain(real, 1), _plain(fake, 1)]
            row.append(number("suv_mean_bias", lesion.get("suv_mean_bias")))
            rows.append([*row, *([Cell(region_title(lesion["group"] or "–"))] if "group" in lesion else [])])
    header = ["Lesion", "Where", "Volume [ml]", "Real SUVmax", "Synthetic SUVmax", metric_title("suv_mean_bias")]
    header += ["Group"] if rows and len(rows[0]) > len(header) else []
    return page.table(header, rows, caption="Every lesion") if rows else ""


def _plain(value: float | None, digits: int) -> Cell:
    return Cell("–" if value is None else f"{value:.{digits}f}", value)


def case_table(summary: Summary, anchors: Mapping[str, str]) -> str:
    """A line per case: its errors inside the body, the bias of its lesions, and the overlap of its labels."""
    bodies = {case: regions.get(WHOLE_BODY, {}) for case, regions in summary["cases"].items()}
    metrics = [metric for metric in _SHORT if any(metric in body for body in bodies.values())]
    header = ["Case", *map(metric_title, metrics)]
    lesions = any(LESIONS in regions for regions in summary["cases"].values())
    overlaps = {case: mean_dice(regions) for case, regions in summary["cases"].items()}
    labels = any(value is not None for value in overlaps.values())
    rows = []
    for case, regions in summary["cases"].items():
        row = [Cell(case, link=anchors[case]), *(number(metric, bodies[case].get(metric)) for metric in metrics)]
        if lesions:
            row.append(number("suv_mean_bias", regions.get(LESIONS, {}).get("suv_mean_bias")))
        if labels:
            row.append(Cell(COLUMNS["dice"].text(overlaps[case]), overlaps[case]))
        rows.append(row)
    header += ["Lesions: SUVmean bias [%]"] if lesions else []
    header += [f"Labels: mean {COLUMNS['dice'].header}"] if labels else []
    return page.table(header, rows, caption="All cases")


def numbers_of_case(regions: Mapping[str, Mapping[str, float | None]]) -> str:
    """All numbers of one case: its regions and all their metrics."""
    known = {metric for values in regions.values() for metric, value in values.items() if value is not None}
    metrics = [metric for metric in metrics_of(known) if not is_measurement(metric)]
    rows: list[Row] = [
        [region_title(name), *(number(metric, values.get(metric)) for metric in metrics)]
        for name, values in regions.items()
    ]
    return page.table(["Region", *map(metric_title, metrics)], rows)
