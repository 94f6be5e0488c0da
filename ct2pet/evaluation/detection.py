"""Detection of lesions and false hot spots in a synthetic PET: free-response curves over SUV thresholds.

A hot spot is a connected component (26 neighbours) of the voxels inside the body of at least the threshold. A lesion is
detected where its SUVmax reaches the threshold. Hot spots outside lesions are counted from 1 ml on. Free-response
receiver operating characteristic: Chakraborty, Med. Phys. 16 (1989) 561.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ct2pet.evaluation.names import METHODS, REAL
from ct2pet.evaluation.results import CaseResult, Lesion

THRESHOLDS_SUV = (2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
VOLUMES_ML = (0.0, 1.0, 5.0, 20.0, math.inf)  # limits of the groups of lesions
UPTAKES_SUV = (0.0, 4.0, 8.0, 16.0, math.inf)  # by the SUVmax of the real PET


def detection(results: Mapping[str, CaseResult]) -> dict[str, Any]:
    """Sensitivity and false positives of all cases that have a lesion mask (see documentation/explanation).

    ``scans``: cases with a mask, ``negative_scans``: those with an empty mask, ``lesions`` in all. ``curves``:
    by method, "real" among them, lists along ``thresholds_suv``: ``sensitivity``; per scan ``false_positives`` and
    ``false_hot_spots``, the latter also per negative scan; ``by_volume`` and ``by_uptake``: the sensitivity of the
    lesions from ``low`` to below ``high`` (None: no limit); ``by_group``: for each group of lesions (dataset.json) its
    number of ``lesions`` and their ``sensitivity``.
    """
    marked = [result for result in results.values() if result.lesions is not None]
    negative = [result for result in marked if not any((result.lesions or {}).values())]
    return {
        "thresholds_suv": list(THRESHOLDS_SUV),
        "scans": len(marked),
        "negative_scans": len(negative),
        "lesions": len(_lesions(marked, METHODS[0])),
        "curves": {method: _curve(marked, negative, method) for method in (REAL, *METHODS)} if marked else {},
    }


def _lesions(results: Sequence[CaseResult], method: str) -> list[Lesion]:
    return [lesion for result in results for lesion in (result.lesions or {}).get(method, [])]


def _curve(marked: Sequence[CaseResult], negative: Sequence[CaseResult], method: str) -> dict[str, Any]:
    role = "real" if method == REAL else "fake"
    lesions = _lesions(marked, METHODS[0] if method == REAL else method)
    return {
        "sensitivity": _sensitivity(lesions, role),
        "false_positives": _per_scan([result.hot_spots[method].false_positives for result in marked]),
        "false_hot_spots": _per_scan([result.hot_spots[method].false_hot_spots for result in marked]),
        "false_hot_spots_negative": _per_scan([result.hot_spots[method].false_hot_spots for result in negative]),
        "by_volume": _strata(lesions, role, "volume_ml", VOLUMES_ML),
        "by_uptake": _strata(lesions, role, "real_suv_max", UPTAKES_SUV),
        "by_group": _groups(lesions, role),
    }


def _groups(lesions: Sequence[Lesion], role: str) -> dict[str, Any]:
    groups = dict.fromkeys(lesion["group"] for lesion in lesions if lesion.get("group"))
    own = {group: [lesion for lesion in lesions if lesion.get("group") == group] for group in sorted(groups)}
    return {name: {"lesions": len(found), "sensitivity": _sensitivity(found, role)} for name, found in own.items()}


def _sensitivity(lesions: Sequence[Lesion], role: str) -> list[float | None]:
    hottest = [lesion[f"{role}_suv_max"] for lesion in lesions]
    return [
        sum(value >= threshold for value in hottest) / len(hottest) if hottest else None for threshold in THRESHOLDS_SUV
    ]


def _per_scan(counts: Sequence[Sequence[int]]) -> list[float | None]:
    if not counts:
        return [None] * len(THRESHOLDS_SUV)
    return [sum(at_threshold) / len(counts) for at_threshold in zip(*counts)]


def _strata(lesions: Sequence[Lesion], role: str, key: str, limits: Sequence[float]) -> list[dict[str, Any]]:
    strata = []
    for low, high in pairwise(limits):
        inside = [lesion for lesion in lesions if low <= lesion[key] < high]
        upper = None if math.isinf(high) else high
        strata.append({"low": low, "high": upper, "lesions": len(inside), "sensitivity": _sensitivity(inside, role)})
    return strata
