"""The tables of ``comparison.py``: the errors of the arms, and claims on them with paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct2pet.evaluation.statistics import describe, holm, paired_test

COLUMNS = {  # region (None: body or district), metric, digits
    "MAE [SUV]": (None, "mae", 3),
    "PSNR [dB]": (None, "psnr", 2),
    "SSIM": (None, "ssim", 3),
    "lesion MAE": ("lesions", "mae", 2),
    "SUVmean bias [%]": ("lesions", "suv_mean_bias", 1),
    "SUVmax bias [%]": ("lesions", "suv_max_bias", 1),
}
BODY = ("MAE [SUV]", "PSNR [dB]", "SSIM")
MAIN = ("MAE [SUV]", "SUVmean bias [%]", "SUVmax bias [%]")
Cases = Mapping[str, Mapping[str, Mapping[str, "float | None"]]]
Claim = tuple[str, str, Sequence[str]]  # the better arm, the worse one, in what


@dataclass(frozen=True)
class Finished:
    """An arm's summary.json and training.json."""

    summary: Mapping[str, Any]
    training: Sequence[Mapping[str, Any]]


def tables(arms: Mapping[str, Finished], region: str, claims: Sequence[Claim]) -> str:
    """Both tables in Markdown. ``region``: the region of the body. Claims on missing arms are left out."""
    if not arms:
        return "nothing is finished"
    cases = {name: one.summary["cases"] for name, one in arms.items()}
    work = {name: [f"{_total(one, key):.0f}" for key in ("steps", "seconds")] for name, one in arms.items()}
    first = next(iter(arms.values())).summary
    cases["body median"], work["body median"] = first["baseline_cases"]["body_median"], ["", ""]
    numbers = {(name, column): _numbers(own, column, region) for name, own in cases.items() for column in COLUMNS}
    rows = [
        [name, *work[name], *(_cell(numbers[name, column], COLUMNS[column][2]) for column in COLUMNS)] for name in cases
    ]
    title = f"{len(first['cases'])} cases, {region.replace('_', ' ')}"
    return "\n\n".join([_table([title, "steps", "seconds", *COLUMNS], rows), _claims(claims, numbers)])


def _total(arm: Finished, key: str) -> float:
    return sum(network[key] for network in arm.training)


def _numbers(cases: Cases, column: str, region: str) -> list[float | None]:
    place, metric, _ = COLUMNS[column]
    return [case.get(place or region, {}).get(metric) for case in cases.values()]


def _cell(values: Sequence[float | None], digits: int) -> str:
    """Mean and standard error."""
    found = describe(values)
    if found["mean"] is None:
        return "–"
    error = "" if found["se"] is None else f" ({found['se']:.{digits}f})"
    return f"{found['mean']:.{digits}f}{error}"


def _claims(claims: Sequence[Claim], numbers: Mapping[tuple[str, str], list[float | None]]) -> str:
    """Each claim: both means (of a bias, of its size), and the paired tests over the cases, corrected by Holm."""
    lines = [
        (a, b, column) for a, b, columns in claims for column in columns if {(a, column), (b, column)} <= {*numbers}
    ]
    pairs = [
        [[None if v is None else abs(v) for v in numbers[name, column]] for name in (a, b)] for a, b, column in lines
    ]
    tests = [paired_test(second, first) for first, second in pairs]
    rows = []
    for (a, b, column), both, test, p in zip(lines, pairs, tests, holm([test.p_wilcoxon for test in tests])):
        first, second = (float(describe(values)["mean"] or 0) for values in both)
        what = f"size of {column}" if "bias" in column else column
        change = f"{100 * (first / second - 1):+.1f}%" if second else "–"
        found = [_p(test.p_t), _p(test.p_wilcoxon), _p(p)]
        rows.append([f"{a}, {b}", what, f"{first:.3f}, {second:.3f}", change, str(test.pairs), *found])
    header = ["compared", "in", "means", "difference", "pairs", "p (t)", "p (Wilcoxon)", "p (Wilcoxon, Holm)"]
    return _table(header, rows)


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
