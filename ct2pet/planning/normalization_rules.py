"""The window of every image: from the district's percentiles, or fixed, depending on its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ct2pet.dataset.fields import INPUT, Field, Fields
from ct2pet.fingerprint.fingerprint import DistrictFingerprint
from ct2pet.planning.configuration import Normalization

_SIGNED, _UNIT = [-1.0, 1.0], [0.0, 1.0]  # range of inputs; range of a predicted PET
_SUV_WINDOW = (0.0, 10.0)
_NARROWEST_WINDOW_HU = 100.0  # keeps contrast to neighbouring tissues in a district of one tissue
_WINDOW_MARGIN = 0.25


def plan_normalization(fields: Fields, seen: DistrictFingerprint) -> dict[str, Normalization]:
    """The normalization of each image field in a district."""
    return {one.name: _RULES[one.rules.normalization](one, seen.percentiles.get(one.name, {})) for one in fields.images}


def _percentile_window(field: Field, at: Mapping[str, float]) -> Normalization:
    """The 5th to 95th percentile of the district, widened by a quarter of that range on both sides, within its 0.5th to
    99.5th percentile.

    Dense bone is a few per cent of a district, and a window with all of it leaves only a few per cent of contrast for
    soft tissues, where the uptake differs.
    """
    margin = _WINDOW_MARGIN * (at["95"] - at["5"])
    lower = round(max(at["0.5"], at["5"] - margin), 1)
    upper = round(min(at["99.5"], at["95"] + margin), 1)
    missing = max(0.0, _NARROWEST_WINDOW_HU - (upper - lower))
    return Normalization(lower - missing / 2, upper + missing / 2, True, list(_SIGNED))


def _suv_window(field: Field, at: Mapping[str, float]) -> Normalization:
    """A fixed window, independent of the extremes of an image or dataset; an input has the range of other inputs."""
    return Normalization(*_SUV_WINDOW, False, list(_SIGNED if field.role == INPUT else _UNIT))


_RULES: dict[str, Callable[[Field, Mapping[str, float]], Normalization]] = {
    "percentile_window": _percentile_window,
    "suv_window": _suv_window,
}
