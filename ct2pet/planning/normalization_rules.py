"""The window of every image: from the district's own percentiles, or fixed, as its kind says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ct2pet.dataset.fields import INPUT, Field, Fields
from ct2pet.fingerprint.fingerprint import DistrictFingerprint
from ct2pet.planning.configuration import Normalization

_SIGNED, _UNIT = [-1.0, 1.0], [0.0, 1.0]  # what networks see; the range of a PET that is predicted
_SUV_WINDOW = (0.0, 10.0)
_NARROWEST_WINDOW_HU = 100.0  # a district of one tissue still tells it from its neighbours
_WINDOW_MARGIN = 0.25


def plan_normalization(fields: Fields, seen: DistrictFingerprint) -> dict[str, Normalization]:
    """By image field: its normalization in a district."""
    return {one.name: _RULES[one.rules.normalization](one, seen.percentiles.get(one.name, {})) for one in fields.images}


def _percentile_window(field: Field, at: Mapping[str, float]) -> Normalization:
    """The district's own 5 to 95 per cent and a quarter of that on both sides, within its 0.5 to 99.5 per cent.

    Dense bone is a few per cent of a district, and a window that holds all of it leaves soft tissues, where the tracer
    differs, only a few per cent of contrast.
    """
    margin = _WINDOW_MARGIN * (at["95"] - at["5"])
    lower = round(max(at["0.5"], at["5"] - margin), 1)
    upper = round(min(at["99.5"], at["95"] + margin), 1)
    missing = max(0.0, _NARROWEST_WINDOW_HU - (upper - lower))
    return Normalization(lower - missing / 2, upper + missing / 2, True, list(_SIGNED))


def _suv_window(field: Field, at: Mapping[str, float]) -> Normalization:
    """Fixed, never by an image's or a dataset's extremes; an input in the range of other inputs."""
    return Normalization(*_SUV_WINDOW, False, list(_SIGNED if field.role == INPUT else _UNIT))


_RULES: dict[str, Callable[[Field, Mapping[str, float]], Normalization]] = {
    "percentile_window": _percentile_window,
    "suv_window": _suv_window,
}
