"""The trivial baseline that a model is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ct2pet.evaluation.baselines import BLIND
from ct2pet.planning.plans import WHOLE_BODY


def main_region(summary: Mapping[str, Any]) -> str:
    """The whole body, or the first region of a summary without it; "" without regions."""
    return WHOLE_BODY if WHOLE_BODY in summary["mean"] else next(iter(summary["mean"]), "")


def best_blind_baseline(summary: Mapping[str, Any], region: str) -> tuple[str, float] | None:
    """Name and MAE (SUV) of the best trivial baseline that does not use the real PET; None where none has an MAE."""
    values = {name: summary["baselines"].get(name, {}).get(region, {}).get("mae") for name in BLIND}
    known = {name: value for name, value in values.items() if value is not None}
    return min(known.items(), key=lambda item: item[1]) if known else None
