"""``summary.json``: the numbers of every case, their means, the baselines beside them, and where they come from."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.baselines import NAMES
from ct2pet.evaluation.comparison import PREDICTION, TITLES, plain_answer
from ct2pet.files import read_json, write_json

Metrics = dict[str, "float | None"]
Regions = dict[str, Metrics]

VOLUME = "_volume"  # the suffix of metrics that count the whole volume, air included
HEADERS = {
    "mae": "MAE [SUV]",
    "psnr": "PSNR [dB]",
    "ssim": "SSIM",
    "suv_mean_bias": "SUVmean bias [%]",
    "suv_max_bias": "SUVmax bias [%]",
    "mae_volume": "MAE volume [SUV]",
    "psnr_volume": "PSNR volume [dB]",
    "ssim_volume": "SSIM volume",
}
FOOTNOTE = (
    "* made from the real PET: not an alternative, but a scale of what blur or misregistration cost. Mean ± standard "
    "error over cases. Columns named volume count the air around the patient too, which flatters every method."
)
_DIGITS = {"mae": 3, "psnr": 2, "ssim": 3, "suv_mean_bias": 1, "suv_max_bias": 1}


def summarise(results: Mapping[str, Mapping[str, Regions]], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of ``{case: {"prediction" or baseline: {region: {metric: value}}}}``."""
    cases = {case: results[case][PREDICTION] for case in sorted(results)}
    baselines = {
        name: {
            region: {metric: number["mean"] for metric, number in metrics.items()}
            for region, metrics in _means([results[case][name] for case in cases]).items()
        }
        for name in NAMES
    }
    means = _means(list(cases.values()))
    return {"cases": cases, "mean": means, "baselines": baselines, "provenance": dict(provenance)}


def mean_of(values: Sequence[float | None]) -> dict[str, float | int | None]:
    """``mean``, its standard error ``se`` (None below two values) and the number ``n`` of the values that exist."""
    numbers = np.array([value for value in values if value is not None], dtype=float)
    mean = float(numbers.mean()) if numbers.size else None
    se = float(numbers.std(ddof=1) / math.sqrt(numbers.size)) if numbers.size > 1 else None
    return {"mean": mean, "se": se, "n": int(numbers.size)}


def _means(cases: Sequence[Regions]) -> dict[str, dict[str, dict[str, Any]]]:
    regions: dict[str, dict[str, list]] = {}
    for case in cases:
        for region, metrics in case.items():
            for metric, value in metrics.items():
                regions.setdefault(region, {}).setdefault(metric, []).append(value)
    return {region: {metric: mean_of(v) for metric, v in metrics.items()} for region, metrics in regions.items()}


def write_summary(path: str | os.PathLike, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json`` atomically."""
    write_json(path, _checked(summary, path))


def read_summary(path: str | os.PathLike) -> dict[str, Any]:
    """Read ``summary.json``. Raises Ct2PetError that names the file where it is missing, damaged or something else."""
    return _checked(read_json(path), path)


def _checked(summary: Any, path: str | os.PathLike) -> dict[str, Any]:
    keys = ("cases", "mean", "baselines", "provenance")
    if not isinstance(summary, dict) or set(summary) != set(keys) or not isinstance(summary["provenance"], dict):
        raise Ct2PetError(f"{path}: not a summary of ct2pet_evaluate (it must hold {', '.join(keys)})")
    for key, is_leaf in (("cases", _is_number), ("baselines", _is_number), ("mean", _is_mean)):
        wrong = _first_wrong(summary[key], 2 if key == "mean" else 3, is_leaf)
        if wrong is not None:
            raise Ct2PetError(f"{path}: {key}{wrong} is not as ct2pet_evaluate writes it; evaluate again")
    if set(summary["baselines"]) != set(NAMES):
        raise Ct2PetError(f"{path}: the baselines must be {', '.join(NAMES)}; evaluate again")
    return summary


def _first_wrong(content: Any, depth: int, is_leaf: Callable[[Any], bool]) -> str | None:
    """Where in a nested dict of ``depth`` the first thing lies that does not belong there; None where all is well."""
    if depth == 0:
        return None if is_leaf(content) else ""
    if not isinstance(content, dict):
        return ""
    for key, value in content.items():
        wrong = _first_wrong(value, depth - 1, is_leaf)
        if wrong is not None:
            return f".{key}{wrong}"
    return None


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))


def _is_mean(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"mean", "se", "n"}
        and all(_is_number(number) for number in value.values())
        and isinstance(value["n"], int)
    )


def metrics_of(values: Mapping[str, Any]) -> list[str]:
    """The metrics that a region has, in the order of the tables."""
    return [metric for metric in HEADERS if metric in values] + [metric for metric in values if metric not in HEADERS]


def rows(summary: Mapping[str, Any], region: str, metrics: Sequence[str]) -> list[list[str]]:
    """The table of one region as text, the header first: the prediction (mean ± standard error), then the baselines."""
    means = summary["mean"][region]
    number = max((means[metric]["n"] for metric in metrics), default=0)
    header = [f"{region} (n = {number})", *(HEADERS.get(metric, metric) for metric in metrics)]
    prediction = [TITLES[PREDICTION], *(_mean_text(metric, means[metric]) for metric in metrics)]
    table = [header, prediction]
    for name in NAMES:
        values = summary["baselines"][name].get(region, {})
        table.append([TITLES[name], *(value_text(metric, values.get(metric)) for metric in metrics)])
    return table


def _mean_text(metric: str, number: Mapping[str, Any]) -> str:
    text = value_text(metric, number["mean"])
    return text if number["se"] is None else f"{text} ± {value_text(metric, number['se']).lstrip('+')}"


def value_text(metric: str, value: float | None) -> str:
    """A metric's value with its digits; a dash where it does not exist."""
    if value is None:
        return "–"
    sign = "+" if metric.endswith("_bias") else ""
    return f"{value:{sign}.{_DIGITS.get(metric.removesuffix(VOLUME), 3)}f}"


def blocks(summary: Mapping[str, Any]) -> list[list[list[str]]]:
    """The tables (see ``rows``) of all regions, one after another; those over the whole volume stand apart."""
    found = []
    for region in summary["mean"]:
        metrics = metrics_of(summary["mean"][region])
        volume = [metric for metric in metrics if metric.endswith(VOLUME)]
        inside = [metric for metric in metrics if metric not in volume]
        found += [rows(summary, region, columns) for columns in (inside, volume) if columns]
    return found


def table(summary: Mapping[str, Any]) -> str:
    """The summary as text for the screen: one block per region, the prediction above the four baselines."""
    return "\n\n".join([*map(_aligned, blocks(summary)), FOOTNOTE, plain_answer(summary)])


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]])
