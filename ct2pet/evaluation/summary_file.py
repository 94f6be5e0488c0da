"""Atomic writing and validated reading of ``summary.json``."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

from ct2pet.errors import Ct2PetError
from ct2pet.evaluation.baselines import NAMES
from ct2pet.files import read_json, write_json

KEYS = (
    *("cases", "mean", "baselines", "baseline_cases", "diagnoses", "groups"),
    *("lesions", "agreement", "detection", "provenance"),
)
_DESCRIPTION = {"mean", "se", "n", "median", "q25", "q75", "ci95"}
_DETECTION = {"thresholds_suv", "scans", "negative_scans", "lesions", "curves"}


def write_summary(path: str | os.PathLike, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json`` atomically."""
    write_json(path, _checked(summary, path))


def read_summary(path: str | os.PathLike) -> dict[str, Any]:
    """Read ``summary.json``. Raises Ct2PetError that names the file where it is missing, damaged or another file."""
    if not os.path.exists(path):
        raise Ct2PetError(f"{path}: no such file; make it with ct2pet_evaluate")
    return _checked(read_json(path), path)


def _checked(summary: Any, path: str | os.PathLike) -> dict[str, Any]:
    if not isinstance(summary, dict) or not isinstance(summary.get("cases"), dict) or "mean" not in summary:
        raise Ct2PetError(f"{path}: not a summary of ct2pet_evaluate (it needs the keys {', '.join(KEYS)})")
    if set(summary) != set(KEYS):
        differing = ", ".join(sorted(set(KEYS) ^ set(summary)))
        raise Ct2PetError(f"{path}: written by another version of ct2pet ({differing}); evaluate again")
    for key, (depth, is_leaf) in _SHAPES.items():
        wrong = _first_wrong(summary[key], depth, is_leaf)
        if wrong is not None:
            raise Ct2PetError(f"{path}: {key}{wrong} is not in the format of ct2pet_evaluate; evaluate again")
    for key in ("baselines", "baseline_cases"):
        if set(summary[key]) != set(NAMES):
            raise Ct2PetError(f"{path}: the {key} must be {', '.join(NAMES)}; evaluate again")
    return summary


def _first_wrong(content: Any, depth: int, is_leaf: Callable[[Any], bool]) -> str | None:
    """The path of the first invalid entry in a nested dict of ``depth``; None where all are valid."""
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


def _is_interval(value: Any) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)))


def _is_description(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == _DESCRIPTION
        and all(_is_interval(number) if key == "ci95" else _is_number(number) for key, number in value.items())
        and isinstance(value["n"], int)
    )


def _are_lesions(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(lesion, dict)
        and all(
            isinstance(number, str) if key in ("district", "group") and number else _is_number(number)
            for key, number in lesion.items()
        )
        for lesion in value
    )


def _is_detection(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == _DETECTION and isinstance(value["curves"], dict)


_SHAPES: dict[str, tuple[int, Callable[[Any], bool]]] = {  # depth of the dicts, and their values
    "cases": (3, _is_number),
    "mean": (2, _is_description),
    "baselines": (3, _is_number),
    "baseline_cases": (4, _is_number),
    "diagnoses": (1, lambda value: isinstance(value, str)),
    "groups": (3, _is_description),
    "lesions": (1, _are_lesions),
    "agreement": (4, _is_number),
    "detection": (0, _is_detection),
    "provenance": (0, lambda value: isinstance(value, dict)),
}
