"""Ranking of several models on the same cases, with tests against the best one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct2pet.console import wrapped
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.columns import aligned
from ct2pet.evaluation.comparing.pairing import check_pairs
from ct2pet.evaluation.statistics import PairedTest, describe, holm, paired_test
from ct2pet.planning.plans import WHOLE_BODY

SURE = 0.05


@dataclass(frozen=True)
class Ranked:
    """One model. ``numbers``: the ``statistics.describe`` of its MAE (SUV) inside the body. ``test``: its MAE
    minus that of the best model, case by case (None of the best itself); ``p_t`` and ``p_wilcoxon`` are corrected by
    Holm's method for the number of other models."""

    name: str
    numbers: dict[str, Any]
    test: PairedTest | None = None
    p_t: float | None = None
    p_wilcoxon: float | None = None

    @property
    def is_worse(self) -> bool:
        """Whether both tests show that it is worse than the best."""
        found = (self.p_t, self.p_wilcoxon)
        return all(p is not None and p < SURE for p in found)


def rank(summaries: Mapping[str, Mapping[str, Any]]) -> list[Ranked]:
    """The models (``summaries``: the content of each summary.json by name) by their mean absolute error inside the
    body, the lowest first; equal ones in the order given.

    Raises Ct2PetError where they are not of the same cases and references, or no PET was predicted.
    """
    check_pairs(summaries)
    values = {name: _errors(name, summary) for name, summary in summaries.items()}
    found = {name: describe(own) for name, own in values.items()}
    first, *others = sorted(found, key=lambda name: found[name]["mean"] or 0.0)
    tests = [paired_test(values[first], values[name]) for name in others]
    corrected = zip(holm([test.p_t for test in tests]), holm([test.p_wilcoxon for test in tests]))
    rivals = [Ranked(name, found[name], test, *both) for name, test, both in zip(others, tests, corrected)]
    return [Ranked(first, found[first]), *rivals]


def ranking_text(ranked: Sequence[Ranked], width: int | None = None) -> str:
    """A table with a line per model, and the result in words. ``width``: the most characters of a line."""
    rows = [["", "MAE [SUV]", "difference [95%]", "p t", "p Wilcoxon"]]
    rows += [[one.name, _mean(one), _difference(one.test), _p(one.p_t), _p(one.p_wilcoxon)] for one in ranked]
    best, *others = ranked
    close = [one.name for one in others if not one.is_worse]
    cases = f"{best.numbers['n']} cases"
    lines = [
        "MAE inside the body, mean ± standard error of the out-of-fold predictions. Difference: to the best, case by "
        "case, with its 95% bootstrap interval. p: paired two-tailed t-test and Wilcoxon's signed-rank test, corrected "
        f"(Holm) for {len(others)} comparison(s).",
        f"Best: {best.name}, {best.numbers['mean']:.4f} SUV over {cases}.",
    ]
    if close:
        lines.append(f"Not shown to be worse (p ≥ {SURE} in a test): {', '.join(close)}.")
    words = "\n".join(lines)
    return f"{aligned(rows, width=width)}\n\n{wrapped(words, width)}"


def _errors(name: str, summary: Mapping[str, Any]) -> list[float | None]:
    values = [regions.get(WHOLE_BODY, {}).get("mae") for regions in summary["cases"].values()]
    if all(value is None for value in values):
        raise Ct2PetError(f"{name}: no MAE of the whole body; only models that predict a PET can be ranked")
    return values


def _mean(one: Ranked) -> str:
    error = one.numbers["se"]
    return f"{one.numbers['mean']:.4f}" + ("" if error is None else f" ± {error:.4f}")


def _difference(test: PairedTest | None) -> str:
    if test is None or test.mean is None:
        return "–"
    interval = "" if test.ci95 is None else f" [{test.ci95[0]:+.4f}, {test.ci95[1]:+.4f}]"
    return f"{test.mean:+.4f}{interval}"


def _p(value: float | None) -> str:
    return "–" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"
