"""Reference plans: a paper's own decisions, as data in the package ``ct2pet_plans``."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dacite

from ct2pet.errors import PlansError
from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.planning.networks import plan_discriminator, plan_generator
from ct2pet.planning.planner import ct_window, median_shape, median_spacing, occurring
from ct2pet.planning.plans import Configuration, Plans
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.topology import unet_topology

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable  # Python 3.11

_PACKAGE = "ct2pet_plans"


def reference_names() -> list[str]:
    """The names that ``-p`` takes besides those of plans that were made."""
    return sorted(entry.name[: -len(".json")] for entry in _folder().iterdir() if entry.name.endswith(".json"))


def reference_plans(
    name: str,
    fingerprint: Fingerprint,
    districts: Mapping[str, int],
    requirements: Mapping[str, Requirements],
) -> Plans:
    """The reference plans ``name`` for a dataset. They fix all decisions; districts, spacing, median shape and the CT
    window come from the fingerprint. Raises PlansError that lists the names where ``name`` is unknown."""
    if name not in reference_names():
        raise PlansError(f"there are no reference plans {name!r}; there are: {', '.join(reference_names())}")
    content = json.loads(_folder().joinpath(f"{name}.json").read_text(encoding="utf-8"))
    configurations = {
        district: _configuration(content, seen, labels, f"{name}.json")
        for district, labels, seen in occurring(fingerprint, districts)
    }
    return Plans(
        dataset_name=fingerprint.dataset_name,
        plans_name=name,
        planner=content["planner"],
        districts=dict(districts),
        configurations=configurations,
        models={
            model: {**needs.hyperparameters, **content["models"].get(model, {})}
            for model, needs in requirements.items()
        },
        blend_mm=content["blend_mm"],
        settings={"source": content["source"]},
        segmenters=list(fingerprint.segmenters),
    )


def _configuration(
    content: Mapping[str, Any], seen: DistrictFingerprint, labels: list[int], source: str
) -> Configuration:
    decisions, networks = content["configuration"], content["networks"]
    spacing, patch_size = median_spacing(seen), decisions["patch_size"]
    # The paper's networks do not depend on the spacing.
    topology = unet_topology(patch_size, [1.0, 1.0, 1.0], networks["num_stages"])
    complete = {
        **decisions,
        "labels": labels,
        "spacing": spacing,
        "median_shape": median_shape(seen, spacing),
        "ct_normalization": ct_window(seen),
        "generator": plan_generator(topology, networks["generator_features"], networks["max_features"]),
        "discriminator": plan_discriminator(patch_size, networks["discriminator_features"]),
    }
    try:
        return dacite.from_dict(Configuration, complete, dacite.Config(strict=True))
    except dacite.DaciteError as error:
        raise PlansError(f"{source}: {error}") from None


def _folder() -> Path | Traversable:
    """Where the JSON files lie: the installed package, or ``plans`` beside ct2pet in a checkout that is only on the
    path."""
    if importlib.util.find_spec(_PACKAGE) is not None:
        return files(_PACKAGE)
    return Path(__file__).resolve().parents[2] / "plans"
