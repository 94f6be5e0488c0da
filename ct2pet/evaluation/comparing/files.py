"""A comparison as JSON, as CSV, and as LaTeX tables for papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ct2pet.evaluation.comparing import wording
from ct2pet.evaluation.comparing.comparison import ORGANS, Comparison, Difference, Line
from ct2pet.evaluation.names import value_text
from ct2pet.files import atomic_path, write_json
from ct2pet.provenance import this_run

_COLUMNS = [
    *("table", "subject", "metric", "unit", "better", "model", "mean", "se", "n", "median", "q25", "q75"),
    *("runs", "se_runs"),
    *("ci95_low", "ci95_high", "pairs", "difference", "difference_ci95_low", "difference_ci95_high"),
    *("p_t", "p_t_holm", "p_wilcoxon", "p_wilcoxon_holm", "cohens_dz", "rank_biserial"),
]
_LITERAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"|": "$|$", "<": "$<$", ">": "$>$", "≥": r"$\geq$", "±": r"$\pm$", "–": "--", "↑": r"$\uparrow$"},
    "↓": r"$\downarrow$",
}


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write comparison.json, comparison.csv and comparison.tex into ``folder``; returns their paths."""
    write_json(folder / "comparison.json", {**comparison.to_json(), "run": this_run(device="cpu")})
    for name, content in (("comparison.csv", csv_text(comparison)), ("comparison.tex", latex(comparison))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="\n")
    return [folder / f"comparison.{ending}" for ending in ("json", "csv", "tex")]


def csv_text(comparison: Comparison) -> str:
    """A row for each line and model; the comparison is empty for the first model."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in comparison.lines:
        for model, numbers in line.numbers.items():
            row = {"table": line.table, "subject": line.subject, "metric": line.metric, "model": model}
            row |= {"better": "higher" if line.higher_is_better else "lower"}
            row |= {"unit": wording.metric_unit(line.metric).strip()}
            row |= {name: value for name, value in numbers.items() if name != "ci95"} | _ends("", numbers["ci95"])
            writer.writerow(row | _compared(line.differences.get(model)))
    return buffer.getvalue()


def _compared(difference: Difference | None) -> dict[str, Any]:
    if difference is None:
        return {}
    test = difference.test
    values = {name: getattr(test, name) for name in ("pairs", "p_t", "p_wilcoxon", "cohens_dz", "rank_biserial")}
    values |= {"difference": test.mean, **_ends("difference_", test.ci95)}
    return values | {"p_t_holm": difference.p_t_holm, "p_wilcoxon_holm": difference.p_wilcoxon_holm}


def _ends(prefix: str, interval: Sequence[float] | None) -> dict[str, float]:
    return {} if interval is None else {f"{prefix}ci95_low": interval[0], f"{prefix}ci95_high": interval[1]}


def latex(comparison: Comparison) -> str:
    r"""A table environment each for districts and whole body, lesions, and diagnoses, to \input into a document that
    has \usepackage{booktabs}. The best mean, and means that are equal when rounded, are bold. Organs do not fit on a
    page."""
    return "\n".join(_table(comparison, table) for table in comparison.tables if table != ORGANS)


def _table(comparison: Comparison, table: str) -> str:
    titles = [literal(wording.model_title(comparison, model)) for model in comparison.models]
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{literal(wording.CAPTIONS[table])}. {_note(comparison)}}}",
        rf"\begin{{tabular}}{{ll{'c' * len(comparison.models)}}}",
        r"\toprule",
        " & ".join(["", "Metric", *titles]) + r" \\",
    ]
    before = None
    for line in comparison.of_table(table):
        subject = ""
        if line.subject != before:
            lines.append(r"\midrule")
            number = max(numbers["n"] for numbers in line.numbers.values())
            subject = f"{literal(wording.subject_title(line.subject))} ($n={number}$)"
        metric = literal(f"{wording.metric_title(line.metric)} {wording.arrow(line)}")
        lines.append(" & ".join([subject, metric, *(_cell(line, model) for model in comparison.models)]) + r" \\")
        before = line.subject
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _note(comparison: Comparison) -> str:
    stars = ", ".join(rf"$^{{{mark}}}$\,$p < {limit:g}$" for limit, mark in reversed(wording.MARKS))
    runs = wording.runs_note(comparison)
    first = wording.model_title(comparison, comparison.models[0])
    return (
        r"Mean $\pm$ standard error over $n$ cases, the best in bold. Stars: differs from "
        f"{literal(first)} in the paired two-tailed $t$-test and in Wilcoxon's "
        f"signed-rank test, both Holm-corrected ({stars}). {literal(wording.family(comparison))}"
        f"{' ' if runs else ''}{literal(runs)}"
    )


def _cell(line: Line, model: str) -> str:
    shown = wording.mean_with_error(line, model).replace("±", r"\pm")
    mark = wording.marks(line.differences[model].p) if model in line.differences else ""
    power = f"^{{{mark}}}" if mark else ""
    means = [value_text(line.metric, line.numbers[name]["mean"]) for name in (model, line.best)]
    return rf"$\mathbf{{{shown}}}{power}$" if means[0] == means[1] else f"${shown}{power}$"


def literal(words: str) -> str:
    """Text with escaped special characters of LaTeX."""
    return "".join(_LITERAL.get(character, character) for character in words)
