"""The content of ``summary.json`` from the numbers of every case (documentation/explanation/evaluation.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ct2pet.evaluation.agreement import agreement
from ct2pet.evaluation.baselines import NAMES
from ct2pet.evaluation.detection import detection
from ct2pet.evaluation.names import EACH_LESION, METHODS, PREDICTION, QUANTITIES
from ct2pet.evaluation.results import CaseResult, Metrics, Regions
from ct2pet.evaluation.statistics import describe


def summarise(
    results: Mapping[str, CaseResult], provenance: Mapping[str, Any], diagnoses: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The summary of the cases. ``diagnoses``: the diagnosis of each case that has one, for the groups."""
    results = {case: results[case] for case in sorted(results)}
    cases = {case: result.regions[PREDICTION] for case, result in results.items()}
    baseline_cases = {
        name: {case: result.regions[name] for case, result in results.items() if name in result.regions}
        for name in NAMES
    }
    return {
        "cases": cases,
        "mean": _described(list(cases.values())),
        "baselines": {name: _means(list(found.values())) for name, found in baseline_cases.items()},
        "baseline_cases": baseline_cases,
        "diagnoses": {case: diagnoses[case] for case in cases if diagnoses and diagnoses.get(case)},
        "groups": _groups(cases, diagnoses or {}),
        "lesions": {
            case: list(result.lesions[PREDICTION]) for case, result in results.items() if result.lesions is not None
        },
        "agreement": {method: _agreement(list(results.values()), method) for method in METHODS},
        "detection": detection(results),
        "provenance": dict(provenance),
    }


def _groups(cases: Mapping[str, Regions], diagnoses: Mapping[str, str]) -> dict[str, Any]:
    groups: dict[str, list[Regions]] = {}
    for case, regions in cases.items():
        if diagnoses.get(case):
            groups.setdefault(diagnoses[case], []).append(regions)
    return {diagnosis: _described(groups[diagnosis]) for diagnosis in sorted(groups)}


def _described(cases: Sequence[Regions]) -> dict[str, dict[str, dict[str, Any]]]:
    return {
        region: {metric: describe(values) for metric, values in metrics.items()}
        for region, metrics in _columns(cases).items()
    }


def _means(cases: Sequence[Regions]) -> Regions:
    return {
        region: {metric: _mean(values) for metric, values in metrics.items()}
        for region, metrics in _columns(cases).items()
    }


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def _columns(cases: Sequence[Regions]) -> dict[str, dict[str, list[float | None]]]:
    """The values of all cases by region and metric; None where a case does not have them."""
    regions: dict[str, dict[str, list[float | None]]] = {}
    for case in cases:
        for region, metrics in case.items():
            for metric, value in metrics.items():
                regions.setdefault(region, {}).setdefault(metric, []).append(value)
    return regions


def _agreement(results: Sequence[CaseResult], method: str) -> dict[str, dict[str, dict[str, Any]]]:
    """By region and quantity: over cases, and over single lesions under the name "each_lesion"."""
    parts: dict[str, list[Metrics]] = {}
    for result in results:
        for region, metrics in result.regions.get(method, {}).items():
            parts.setdefault(region, []).append(metrics)
        for lesion in (result.lesions or {}).get(method, []):
            parts.setdefault(EACH_LESION, []).append(lesion)
    return {region: _quantities(found) for region, found in parts.items()}


def _quantities(found: Sequence[Metrics]) -> dict[str, dict[str, Any]]:
    known = [quantity for quantity in QUANTITIES if any(f"real_{quantity}" in one for one in found)]
    return {
        quantity: agreement((one.get(f"real_{quantity}"), one.get(f"fake_{quantity}")) for one in found)
        for quantity in known
    }
