"""Normalisation of physical values for networks, and its inverse, for NumPy arrays and torch tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ct2pet.planning.configuration import Normalization


def for_image(plan: Normalization, values: Any) -> Normalization:
    """The normalisation of one image (a NumPy array, in the field's unit): the plan, with the image's own minimum and
    maximum where the plan's scope is the image."""
    if plan.scope == "dataset":
        return plan
    lower, upper = float(values.min()), float(values.max())
    return replace(plan, lower=lower, upper=max(upper, lower + 1.0))  # an image of one value is mapped to the lower end


def normalize(values: Any, plan: Normalization) -> Any:
    """Values (any shape, floating type, in the field's unit) with the plan's window mapped linearly to its range.

    Values outside the window are outside the range, unless the plan clips.
    """
    low, high = plan.range
    if plan.clip:
        values = values.clip(plan.lower, plan.upper)
    return (values - plan.lower) / ((plan.upper - plan.lower) / (high - low)) + low


def denormalize(values: Any, plan: Normalization) -> Any:
    """The inverse of normalize (without clipping): from the plan's range to the field's unit."""
    low, high = plan.range
    return (values - low) * ((plan.upper - plan.lower) / (high - low)) + plan.lower


def unit_scale(plan: Normalization) -> float:
    """The size of one normalised unit in the field's unit."""
    return (plan.upper - plan.lower) / (plan.range[1] - plan.range[0])


def normalized_windows(plan: Normalization) -> list[tuple[float, float]]:
    """The ends of the plan's windows in normalised values."""
    scale, low = unit_scale(plan), plan.range[0]
    return [((lower - plan.lower) / scale + low, (upper - plan.lower) / scale + low) for lower, upper in plan.windows]


def outside_value(outside: float, plan: Normalization) -> float:
    """The normalised value outside of an image: that of ``outside``, limited to the plan's window; the lower end of the
    range where each image has its own window."""
    low, _ = plan.range
    if plan.scope == "image":
        return low
    return (min(max(outside, plan.lower), plan.upper) - plan.lower) / unit_scale(plan) + low


def as_input(values: Any, plan: Normalization) -> Any:
    """A normalised prediction as the input of another network: in the range of inputs, [-1, 1]."""
    low, high = plan.range
    return 2 * (values - low) / (high - low) - 1


def from_input(values: Any, plan: Normalization) -> Any:
    """The inverse of as_input."""
    low, high = plan.range
    return (values + 1) / 2 * (high - low) + low
