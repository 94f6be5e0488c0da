"""The tables of ``lesions.py`` in Markdown: errors of lesions that the CT shows and of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from ct2pet.evaluation.detection import THRESHOLDS_SUV
from ct2pet.evaluation.statistics import LEAST_CASES, SEED, describe, paired_test

DISTRICT, REFERENCE = "trunk", "default"
SHOWN, HIDDEN = "lesions_shown_in_CT", "lesions_hidden_in_CT"
_HOT_SUV = 4.0
_AT = THRESHOLDS_SUV.index(_HOT_SUV)
Summary = Mapping[str, Any]


def tables(summaries: Mapping[str, Summary]) -> str:
    """Both tables in Markdown: every prediction, and each one against the default arm, where it is finished."""
    first = next(iter(summaries.values()))
    groups = first["detection"]["curves"]["prediction"]["by_group"]
    numbers = ", ".join(f"{of['lesions']} {name.replace('_', ' ')}" for name, of in groups.items())
    header = [
        f"{len(first['cases'])} cases, {DISTRICT}; lesions: {numbers}",
        *("MAE [SUV]", "shown: SUVmean bias [%]", "hidden: SUVmean bias [%]"),
        *(f"shown: SUV ≥ {_HOT_SUV:g} [%]", f"hidden: SUV ≥ {_HOT_SUV:g} [%]"),
        *("hot spots outside lesions, per scan", "of these cold in the real PET"),
    ]
    rows = [_row(name, summary) for name, summary in summaries.items()]
    rows.append(["real PET", "–", "–", "–", *_shares(first, "real"), *_hot_spots(first, "real")])
    shown = [markdown([header, *rows])]
    if REFERENCE in summaries:
        shown.append(markdown(_paired(summaries, [name for name in summaries if name != REFERENCE])))
    return "\n\n".join(shown)


def _row(name: str, summary: Summary) -> list[str]:
    biases = [_mean(_values(summary, region, "suv_mean_bias"), ".1f") for region in (SHOWN, HIDDEN)]
    found = [*biases, *_shares(summary, "fake"), *_hot_spots(summary, "prediction")]
    return [name, _mean(_values(summary, DISTRICT, "mae"), ".3f"), *found]


def _shares(summary: Summary, role: str) -> list[str]:
    return [_share(summary, region.removeprefix("lesions_"), role) for region in (SHOWN, HIDDEN)]


def _hot_spots(summary: Summary, method: str) -> list[str]:
    curve = summary["detection"]["curves"][method]
    return [f"{curve[kind][_AT]:.2f}" for kind in ("false_positives", "false_hot_spots")]


def _paired(summaries: Mapping[str, Summary], names: Sequence[str]) -> list[list[str]]:
    """Each prediction minus that of the default arm; of a bias its size."""
    rows = [["compared", "in", "difference [95%]", "pairs", "p (t)", "p (Wilcoxon)"]]
    for other in names:
        for region, metric, digits in ((DISTRICT, "mae", ".3f"), (SHOWN, "suv_mean_bias", ".1f")):
            pair = [_values(summaries[name], region, metric) for name in (REFERENCE, other)]
            test = paired_test(*([None if v is None else abs(v) for v in values] for values in pair))
            found = [f"{p:.4f}" if p is not None else "–" for p in (test.p_t, test.p_wilcoxon)]
            change = _interval(test.mean, test.ci95, f"+{digits}")
            rows.append([f"{other} − {REFERENCE}", f"{region}, {metric}", change, str(test.pairs), *found])
    return rows


def _values(summary: Summary, region: str, metric: str) -> list[float | None]:
    return [regions.get(region, {}).get(metric) for regions in summary["cases"].values()]


def _mean(values: Sequence[float | None], digits: str) -> str:
    found = describe(values)
    return _interval(found["mean"], found["ci95"], digits)


def _interval(mean: float | None, ends: Sequence[float] | None, digits: str) -> str:
    if mean is None:
        return "–"
    return f"{mean:{digits}}" + ("" if ends is None else f" [{ends[0]:{digits}}, {ends[1]:{digits}}]")


def _share(summary: Summary, group: str, role: str) -> str:
    """The share of the lesions of a group with the SUV of a hot spot; its interval resamples the cases. ``role``:
    "real" or "fake" PET."""
    own = [[one[f"{role}_suv_max"] for one in case if one["group"] == group] for case in summary["lesions"].values()]
    hits = np.array([[sum(value >= _HOT_SUV for value in values), len(values)] for values in own if values]).T
    if not hits.size:
        return "–"
    share = 100 * hits[0].sum() / hits[1].sum()
    if hits.shape[1] < LEAST_CASES:
        return _interval(share, None, ".0f")
    found = bootstrap(
        hits,
        lambda hot, every, axis: 100 * hot.sum(axis=axis) / every.sum(axis=axis),
        paired=True,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return _interval(share, found.confidence_interval, ".0f")


def markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
