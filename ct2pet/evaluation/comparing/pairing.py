"""Checks that summaries can be compared case by case: only their predictions may differ."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.origin import EVALUATED_TRAINING_CASES

_FROM_THE_REAL_PET = ("zeros", "blurred", "shifted")  # baselines that do not depend on prediction and training cases
_TOLERANCE = 1e-5  # relative; sums of other machines and versions differ in their last digits
_SHOWN = 5
_Flat = dict[tuple[str, str, str], Any]  # by case, region and metric


def check_pairs(summaries: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise Ct2PetError unless the summaries have the same cases, evaluated with the same real PETs, districts, lesions
    and settings, and no training cases.

    Equal references are recognised by the baselines that are made from them, and by the volumes of the labels: these
    numbers must agree.
    """
    for name, summary in summaries.items():
        check_training_cases(name, summary)
    first, *others = summaries
    for other in others:
        _check_cases(first, other, summaries)
        for what in ("settings", "districts"):
            one, two = (_of_provenance(summaries[name], what) for name in (first, other))
            _check_same(first, other, one, two, what)
        _check_references(first, other, summaries)
        _check_same(first, other, summaries[first]["diagnoses"], summaries[other]["diagnoses"], "diagnoses")


def common_cases(
    summaries: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """The summaries reduced to their common cases, and the other cases with the models without them. Only values by
    case are reduced (``cases``, ``baseline_cases``, ``diagnoses``, and the evaluated training cases). Raises
    Ct2PetError without common cases."""
    every = {case for summary in summaries.values() for case in summary["cases"]}
    left_out = {
        case: lacking
        for case in sorted(every)
        if (lacking := [name for name, summary in summaries.items() if case not in summary["cases"]])
    }
    if len(left_out) == len(every):
        raise Ct2PetError(f"{', '.join(summaries)}: have no case in common")
    return {name: _without(summary, left_out) for name, summary in summaries.items()}, left_out


def _without(summary: Mapping[str, Any], cases: Collection[str]) -> dict[str, Any]:
    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {case: value for case, value in values.items() if case not in cases}

    baselines = {name: kept(values) for name, values in summary["baseline_cases"].items()}
    reduced = {"cases": kept(summary["cases"]), "diagnoses": kept(summary["diagnoses"])}
    provenance = dict(summary["provenance"])
    if provenance.get(EVALUATED_TRAINING_CASES):
        own = provenance[EVALUATED_TRAINING_CASES]
        provenance[EVALUATED_TRAINING_CASES] = [case for case in own if case not in cases]
    return {**summary, **reduced, "baseline_cases": baselines, "provenance": provenance}


def check_training_cases(name: str, summary: Mapping[str, Any]) -> None:
    """Raise Ct2PetError where evaluated cases are training cases of the model, as far as recorded."""
    known = summary["provenance"].get(EVALUATED_TRAINING_CASES)
    if known:
        raise Ct2PetError(
            f"{name}: {len(known)} of {len(summary['cases'])} evaluated cases are training cases ({listed(known)}): "
            "its "
            "errors are not valid for new patients; evaluate cases that were not used for training"
        )


def listed(names: Sequence[str]) -> str:
    """The first few names, with a mark where there are more."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _check_cases(first: str, other: str, summaries: Mapping[str, Mapping[str, Any]]) -> None:
    for one, lacking in ((first, other), (other, first)):
        missing = sorted({*summaries[one]["cases"]} - {*summaries[lacking]["cases"]})
        if missing:
            common = {*summaries[one]["cases"]} & {*summaries[lacking]["cases"]}
            offer = f", or compare the {len(common)} common case(s) with --common_cases" if common else ""
            raise Ct2PetError(
                f"{lacking}: lacks {len(missing)} of the cases of {one} ({listed(missing)}); only numbers of the same "
                f"cases can be compared: predict and evaluate them all{offer}"
            )


def _of_provenance(summary: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """The settings or districts; the constant of the baseline body_median depends on the training cases and may
    differ."""
    return {key: value for key, value in summary["provenance"].get(what, {}).items() if key != "body_median"}


def _check_same(first: str, other: str, one: Mapping[str, Any], two: Mapping[str, Any], what: str) -> None:
    different = sorted(key for key in {*one, *two} if one.get(key) != two.get(key))
    if different:
        key = different[0]
        raise Ct2PetError(
            f"{first} and {other} were evaluated with other {what} ({key}: {one.get(key)} and {two.get(key)}); "
            "evaluate both in the same way"
        )


def _check_references(first: str, other: str, summaries: Mapping[str, Mapping[str, Any]]) -> None:
    for name in _FROM_THE_REAL_PET:
        one, two = (_flat(summaries[model]["baseline_cases"][name]) for model in (first, other))
        _check_equal(first, other, one, two, f" of the baseline {name}")
    one, two = (_label_volumes(summaries[model]["cases"]) for model in (first, other))
    both = one.keys() & two.keys()
    _check_equal(first, other, {key: one[key] for key in both}, {key: two[key] for key in both}, "")


def _check_equal(first: str, other: str, one: _Flat, two: _Flat, of: str) -> None:
    different = sorted(key for key in {*one, *two} if key not in one or key not in two or not _same(one[key], two[key]))
    if different:
        case, region, metric = key = different[0]
        raise Ct2PetError(
            f"{first} and {other} were evaluated with different references: in {case}, {region}, the {metric}{of} is "
            f"{one.get(key)} and {two.get(key)}; evaluate both with one version against the same real PETs and maps"
        )


def _label_volumes(cases: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> _Flat:
    """The volumes of the labels in the reference maps."""
    return {key: value for key, value in _flat(cases).items() if key[2] == "real_volume_ml"}


def _flat(cases: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> _Flat:
    return {
        (case, region, metric): value
        for case, regions in cases.items()
        for region, metrics in regions.items()
        for metric, value in metrics.items()
    }


def _same(one: float | None, two: float | None) -> bool:
    if one is None or two is None:
        return one is two
    return math.isclose(one, two, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
