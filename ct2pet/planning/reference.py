"""Reference plans: the parameters of a paper, as data in the package ``ct2pet_plans``."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ct2pet.dataset import Description
from ct2pet.errors import PlansError
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.planning.configuration import Configuration, NetworkPlan
from ct2pet.planning.networks import NetworkSize, plan_network
from ct2pet.planning.normalization_rules import plan_normalization
from ct2pet.planning.planner import District, occurring, planned_fields, planned_flip_axes, planned_sampling
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.topology import unet_topology
from ct2pet.schema import parse_as
from ct2pet.suggestions import did_you_mean

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable  # Python 3.11

_PACKAGE = "ct2pet_plans"
_PREFIX = "paper_"  # reserved for reference plans


def reference_names() -> list[str]:
    """The names of all reference plans."""
    return sorted(entry.name[: -len(".json")] for entry in _folder().iterdir() if entry.name.endswith(".json"))


def is_reference(name: str) -> bool:
    """Whether plans of this name are reference plans.

    Raises PlansError that lists the reference plans where the name is similar to one of theirs, or begins with
    ``paper_``: the default planner must not write plans under a mistyped name.
    """
    names = reference_names()
    if name in names:
        return True
    hint = did_you_mean(name, names)
    if hint or name.startswith(_PREFIX):
        raise PlansError(
            f"-p {name}: not a name for new plans, because it is similar to reference plans; there are: "
            f"{', '.join(names)}{hint}"
        )
    return False


def reference_methods(name: str) -> list[str]:
    """The methods that the reference plans ``name`` are made for; empty for other plans."""
    return list(_content(name)["models"]) if name in reference_names() else []


def reference_plans(
    name: str, fingerprint: Fingerprint, description: Description, requirements: Mapping[str, Requirements]
) -> Plans:
    """The reference plans ``name`` for a dataset. Their parameters are fixed; districts, median shape, windows that
    depend on the data, and a spacing and sampling that they do not set come from the fingerprint and the planner.

    Raises PlansError that lists the names where ``name`` is unknown, and where the plans' method does not support the
    dataset's fields.
    """
    if name not in reference_names():
        raise PlansError(f"-p {name}: no such reference plans; there are: {', '.join(reference_names())}")
    content = _content(name)
    fields = description.fields
    methods = {model: requirements[model] for model in content["models"]}
    for model, needs in methods.items():
        needs.check(f"{name}: {model}", description)
    fitting = {model: needs for model, needs in requirements.items() if needs.problem(description) is None}
    configurations = {
        district.name: _configuration(content, district, f"{name}.json")
        for district in occurring(fingerprint, description)
    }
    return Plans(
        dataset_name=fingerprint.dataset_name,
        plans_name=name,
        planner=content["planner"],
        fields=planned_fields(fields),
        districts=description.districts,
        body_mask=description.body_mask,
        configurations=configurations,
        models={
            model: {**needs.hyperparameters, **content["models"].get(model, {})} for model, needs in fitting.items()
        },
        blend_mm=content["blend_mm"],
        settings={"source": content["source"]},
        segmenters=list(fingerprint.segmenters),
    )


def _content(name: str) -> dict[str, Any]:
    return json.loads(_folder().joinpath(f"{name}.json").read_text(encoding="utf-8"))


def _configuration(content: Mapping[str, Any], district: District, source: str) -> Configuration:
    decisions = content["configuration"]
    if district.name == WHOLE_BODY:
        decisions = {**decisions, **content.get("whole_body", {})}
    planned = plan_normalization(district.fields, district.seen)
    fixed = {one.name: content["normalization"].get(one.kind, {}) for one in district.fields.images}
    sided = 2 not in planned_flip_axes(district.fields)
    augmentation = decisions["augmentation"]
    flip_axes = [axis for axis in augmentation["flip_axes"] if axis != 2 or not sided]
    spacing = decisions.get("spacing", district.spacing)
    complete = {
        "sampling": asdict(planned_sampling(district.fields)),
        **decisions,
        "slices": _slices(decisions.get("slices")),
        "augmentation": {**augmentation, "flip_axes": flip_axes},
        "labels": district.labels,
        "spacing": spacing,
        "median_shape": district.median_shape_at(spacing),
        "normalization": {image: {**asdict(plan), "windows": [], **fixed[image]} for image, plan in planned.items()},
        "networks": {
            role: asdict(_network(role, decisions["patch_size"], widths))
            for role, widths in content["networks"].items()
        },
    }
    return parse_as(complete, Configuration, source, PlansError)


def _slices(decisions: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The slices of a method in 2D; None where the paper has none."""
    if decisions is None:
        return None
    networks = {role: asdict(_network(role, decisions["patch_size"], w)) for role, w in decisions["networks"].items()}
    return {**decisions, "networks": networks}


def _network(role: str, patch_size: list[int], widths: Mapping[str, Any]) -> NetworkPlan:
    """A network of the paper, which does not depend on the spacing; ``recipe``: the role of the planner's network,
    where the planner makes none for this role; ``arguments`` in place of the planner's."""
    topology = unet_topology(patch_size, [1.0] * len(patch_size), widths["num_stages"])
    size = NetworkSize(patch_size, topology, widths["base_features"], widths["max_features"])
    planned = plan_network(widths.get("recipe", role), size)
    return replace(planned, arguments={**planned.arguments, **widths.get("arguments", {})})


def _folder() -> Path | Traversable:
    """The folder of the JSON files: the installed package, or ``plans`` next to ct2pet in a checkout on the path."""
    if importlib.util.find_spec(_PACKAGE) is not None:
        return files(_PACKAGE)
    return Path(__file__).resolve().parents[2] / "plans"
