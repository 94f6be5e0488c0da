"""The validity rules of plans, also of edited ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ct2pet.dataset.field_parsing import is_field_name
from ct2pet.dataset.fields import CATEGORY, CONDITION, CT, INPUT, KINDS, PET, TARGET, Field, Fields
from ct2pet.errors import PlansError
from ct2pet.planning.configuration import (
    WINDOW_WEIGHTS,
    Augmentation,
    Configuration,
    NetworkPlan,
    Normalization,
    Sampling,
    ValueChanges,
)
from ct2pet.planning.networks import is_discriminator, strides_of
from ct2pet.planning.topology import patchgan_maps

_MASKINGS = ("hard", "context", "none")
_LAYOUTS = ("fitted", "regular")
_SCOPES = ("dataset", "image")
_LEAST_SCALING = 0.25  # less would read a margin of more than a patch on each side
_MOST_FEATURES = 8192  # of a layer; more is a mistake that would use all memory


def check_fields(fields: Sequence[Field], where: str) -> None:
    """Raise PlansError where a field has an unknown role or kind, or a name or folder that is not allowed, or where
    there is no target."""
    roles = {INPUT: KINDS, TARGET: KINDS, CONDITION: (CATEGORY,)}
    for number, one in enumerate(fields):
        _hold(
            {
                f"fields[{number}].name {one.name!r} is not allowed": is_field_name(one.name),
                f"the field {one.name} has an unknown role or kind": one.kind in roles.get(one.role, ()),
                f"the folder {one.folder!r} of the field {one.name} is not allowed": one.role == CONDITION
                or is_field_name(one.folder),
                f"the field {one.name} has labels below 0": min(one.labels.values(), default=0) >= 0,
            },
            where,
        )
    names = [one.name for one in fields]
    _hold({"two fields have the same name": len({*names}) == len(names)}, where)
    _hold({"fields must contain at least one target": any(one.role == TARGET for one in fields)}, where)


def check_configuration(configuration: Configuration, fields: Fields, where: str) -> None:
    """Raise PlansError that begins with ``where`` and names the first broken rule of the configuration."""
    sampling, masking = configuration.sampling, configuration.masking
    _hold(
        {
            "labels must be one or more positive numbers": configuration.labels and min(configuration.labels) > 0,
            "spacing must be three positive numbers (mm)": _positive(configuration.spacing, 3),
            "tile_overlap must be at least 0 and below 1": 0 <= configuration.tile_overlap < 1,
            f"window_weights must be {' or '.join(WINDOW_WEIGHTS)}": configuration.window_weights in WINDOW_WEIGHTS,
            f"tile_layout must be {' or '.join(_LAYOUTS)}": configuration.tile_layout in _LAYOUTS,
            f"masking.kind must be {', '.join(_MASKINGS[:-1])} or {_MASKINGS[-1]}": masking.kind in _MASKINGS,
            "masking.margin_mm must not be negative": 0 <= masking.margin_mm < math.inf,
            "sampling.lesion_fraction must be 0 to 1": 0 <= sampling.lesion_fraction <= 1,
            "mirror_axes must be among 0, 1, 2": {*configuration.mirror_axes} <= {0, 1, 2},
        },
        where,
    )
    _check_sampling(sampling, fields, where)
    _check_augmentation(configuration.augmentation, fields, where)
    _check_normalization(configuration.normalization, fields, where)
    _check_doses(configuration, fields, where)
    _check_networks(configuration.patch_size, configuration.batch_size, configuration.networks, 3, where)
    if configuration.slices is not None:
        slices = configuration.slices
        _check_networks(slices.patch_size, slices.batch_size, slices.networks, 2, f"{where}: slices")


def _check_sampling(sampling: Sampling, fields: Fields, where: str) -> None:
    total = sampling.lesion_fraction + sampling.label_fraction
    known = {"", *(one.name for one in fields.conditions)}
    _hold(
        {
            "sampling.label_fraction must be 0 to 1": 0 <= sampling.label_fraction <= 1,
            "the sum of sampling.lesion_fraction and label_fraction must not exceed 1": total <= 1,
            "sampling.balanced_over must be a condition of the dataset": sampling.balanced_over in known,
        },
        where,
    )


def _check_augmentation(augmentation: Augmentation, fields: Fields, where: str) -> None:
    known = {one.name for one in (*fields.inputs, *fields.targets)}
    moves = augmentation.misalignment_mm
    _hold(
        {
            "augmentation.flip_axes must be among 0, 1, 2": {*augmentation.flip_axes} <= {0, 1, 2},
            f"augmentation.misalignment_mm must name fields ({', '.join(sorted(known))})": {*moves} <= known,
            "augmentation.misalignment_mm must be three numbers of at least 0 (mm) per field": all(
                len(mm) == 3 and min(mm) >= 0 and max(mm) < math.inf for mm in moves.values()
            ),
            f"augmentation.scaling_range must be two factors from {_LEAST_SCALING} to {1 / _LEAST_SCALING:g}, the "
            "smaller one first": _is_range(augmentation.scaling_range, _LEAST_SCALING, 1 / _LEAST_SCALING),
        },
        where,
    )
    if augmentation.ct_values is not None:
        _check_ct_values(augmentation.ct_values, fields, where)


def _check_ct_values(changes: ValueChanges, fields: Fields, where: str) -> None:
    positive = {"blur_voxels": changes.blur_voxels, "contrast": changes.contrast, "gamma": changes.gamma}
    rules = {
        f"augmentation.ct_values.{name} must be two numbers above 0, the smaller one first": _is_range(
            ends, 0, math.inf
        )
        for name, ends in positive.items()
    }
    rules["augmentation.ct_values.probability must be 0 to 1"] = 0 <= changes.probability <= 1
    rules["augmentation.ct_values.shift must not be negative"] = 0 <= changes.shift < math.inf
    rules["augmentation.ct_values needs a CT as input"] = any(one.kind == CT for one in fields.inputs)
    _hold(rules, where)


def _is_range(ends: Sequence[float], least: float, most: float) -> bool:
    """Two positive finite numbers from ``least`` to ``most`` in rising order, which may be equal."""
    return len(ends) == 2 and least <= ends[0] <= ends[1] <= most and ends[0] > 0 and ends[1] < math.inf


def _check_doses(configuration: Configuration, fields: Fields, where: str) -> None:
    doses = configuration.augmentation.dose_fractions
    if not doses:
        return
    pets = [[one.name for one in side if one.kind == PET] for side in (fields.inputs, fields.targets)]
    windows = [configuration.normalization[name] for side in pets for name in side]
    _hold(
        {
            "augmentation.dose_fractions must be the dose of the low-dose PET and a higher one, from above 0 to 1": (
                len(doses) == 2 and 0 < doses[0] < doses[1] <= 1
            ),
            "augmentation.dose_fractions needs one PET as input and one as target": [*map(len, pets)] == [1, 1],
            "augmentation.dose_fractions needs normalizations of scope dataset that do not clip": all(
                plan.scope == "dataset" and not plan.clip for plan in windows
            ),
        },
        where,
    )


def _check_normalization(normalization: Mapping[str, Normalization], fields: Fields, where: str) -> None:
    missing = [one.name for one in fields.images if one.name not in normalization]
    targets = {one.name for one in fields.targets}
    _hold({f"normalization of the image {', '.join(missing)} is missing": not missing}, where)
    for name, plan in normalization.items():
        finite = all(math.isfinite(end) for end in (plan.lower, plan.upper, *plan.range))
        _hold(
            {
                f"normalization of {name} needs finite lower < upper": finite and plan.lower < plan.upper,
                f"normalization of {name} needs a range of two increasing numbers": len(plan.range) == 2
                and plan.range[0] < plan.range[1],
                f"normalization of {name} needs a scope: {' or '.join(_SCOPES)}": plan.scope in _SCOPES,
                f"normalization of {name} needs the scope dataset, because it is a target": plan.scope == "dataset"
                or name not in targets,
            },
            where,
        )
        if plan.windows:
            _check_windows(name, plan, name not in targets, where)


def _check_windows(name: str, plan: Normalization, is_input: bool, where: str) -> None:
    wanted = "two increasing numbers that overlap lower to upper"
    valid = (
        len(ends) == 2 and ends[0] < ends[1] and ends[0] < plan.upper and ends[1] > plan.lower for ends in plan.windows
    )
    _hold(
        {
            f"normalization of {name} must not have windows, because it is not an input": is_input,
            f"normalization of {name} needs the scope dataset, because it has windows": plan.scope == "dataset",
            f"normalization of {name}: each of windows needs {wanted}": all(valid),
        },
        where,
    )


def _check_networks(
    size: list[int], batch_size: int, networks: Mapping[str, NetworkPlan], dimensions: int, where: str
) -> None:
    number = {2: "two", 3: "three"}[dimensions]
    rules: dict[str, Any] = {f"patch_size must be {number} positive numbers (voxels)": _positive(size, dimensions)}
    for role, network in networks.items():
        features = network.arguments.get("features_per_stage", network.arguments.get("base_features", 1))
        rules[f"the {role}'s features must be 1 to {_MOST_FEATURES}"] = all(
            isinstance(number, int) and 1 <= number <= _MOST_FEATURES for number in np.ravel(features).tolist()
        )
        if is_discriminator(network):
            maps = patchgan_maps(size or [0], strides_of(network))
            rules[f"patch_size is too small for the {role}'s strides"] = min(map(min, maps)) >= 1
        else:
            multiples = network_multiples(network, dimensions)
            rules[f"patch_size must be multiples of {multiples}, the {role}'s strides"] = all(
                n % multiple == 0 for n, multiple in zip(size, multiples)
            )
    rules["batch_size must be at least 1"] = batch_size >= 1
    _hold(rules, where)


def _hold(rules: dict[str, Any], where: str) -> None:
    for rule, holds in rules.items():
        if not holds:
            raise PlansError(f"{where}: {rule}")


def network_multiples(network: NetworkPlan, dimensions: int = 3) -> list[int]:
    """The divisor of a valid patch along each axis: the product of the network's strides."""
    strides = strides_of(network) or [[1] * dimensions]
    return [math.prod(axis) for axis in zip(*strides)]


def _positive(values: list, number: int) -> bool:
    return len(values) == number and min(values) > 0
