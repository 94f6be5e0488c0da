"""Plans: every decision that later stages need, as frozen dataclasses and as one JSON file that users edit."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dacite

from ct2pet.dataset.description import WHOLE_BODY as WHOLE_BODY
from ct2pet.dataset.fields import Field, Fields
from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import Ct2PetError, PlansError
from ct2pet.files import read_json, write_json
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plan_rules import check_configuration, check_fields
from ct2pet.planning.version_1 import translate_version_1
from ct2pet.suggestions import did_you_mean

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Plans:
    """All plans of a dataset. ``fields``: its inputs, targets and conditions. ``districts``: empty where it has none;
    the body is then found in the input ``body_mask`` (None: all voxels count). ``models`` holds each method's
    hyper-parameters by its name."""

    dataset_name: str
    plans_name: str
    planner: str
    fields: list[Field]
    districts: dict[str, int]
    configurations: dict[str, Configuration]
    models: dict[str, dict[str, Any]]
    blend_mm: float
    body_mask: str | None = None
    schema_version: int = SCHEMA_VERSION
    settings: dict[str, Any] = field(default_factory=dict)  # what the user asked of the planner, for the record
    segmenters: list[SegmenterIdentity] = field(default_factory=list)  # as in the fingerprint; older plans have none

    @property
    def all_fields(self) -> Fields:
        """Inputs, targets and conditions."""
        return Fields(tuple(self.fields))

    @property
    def default_configurations(self) -> list[str]:
        """What is trained where nothing is named: the districts, or the whole body where there is none."""
        return [name for name in self.configurations if name != WHOLE_BODY] or [WHOLE_BODY]

    def configuration(self, name: str) -> Configuration:
        """The configuration ``name``. Raises PlansError that lists those there are."""
        if name not in self.configurations:
            known = ", ".join(self.configurations)
            hint = did_you_mean(name, self.configurations)
            raise PlansError(f"the plans {self.plans_name} have no configuration {name!r}; there are: {known}{hint}")
        return self.configurations[name]

    def hyperparameters(self, model: str) -> dict[str, Any]:
        """The hyper-parameters of ``model``; empty (the method's own defaults) where the plans name none."""
        return dict(self.models.get(model, {}))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def save(self, path: Path) -> None:
        write_json(path, self.to_json())

    @classmethod
    def from_json(cls, content: dict[str, Any], source: str = "plans") -> Plans:
        """Plans from parsed JSON. Unknown, missing and ill-typed keys raise PlansError that names ``source``."""
        if not isinstance(content, dict):
            raise PlansError(f"{source}: the plans are not a JSON object")
        version = content.get("schema_version")
        if version not in (1, SCHEMA_VERSION):
            raise PlansError(f"{source}: schema_version {version!r}, this ct2pet reads {SCHEMA_VERSION}: plan again")
        content = {**content, "configurations": _inherited(content.get("configurations", {}), source)}
        if version == 1:
            content = translate_version_1(content)
        try:
            plans = dacite.from_dict(cls, content, dacite.Config(strict=True, type_hooks={float: _to_float}))
        except (dacite.DaciteError, TypeError, ValueError) as error:
            raise PlansError(f"{source}: {explained(error)}") from None
        check_fields(plans.fields, source)
        if not 0 <= plans.blend_mm < math.inf:
            raise PlansError(f"{source}: blend_mm must be a number from 0 on (mm), not {plans.blend_mm}")
        for name, configuration in plans.configurations.items():
            check_configuration(configuration, plans.all_fields, f"{source}: configuration {name}")
        return plans

    @classmethod
    def load(cls, path: Path) -> Plans:
        """Plans from a JSON file. Raises PlansError that names the file."""
        try:
            content = read_json(path)
        except Ct2PetError as error:
            raise PlansError(str(error)) from None
        return cls.from_json(content, str(path))


def explained(error: Exception) -> str:
    """What is wrong in a file that dacite refused, in a user's words."""
    if isinstance(error, dacite.UnexpectedDataError):
        return f"unknown key(s): {', '.join(sorted(map(str, error.keys)))}"
    return str(error)


def _to_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _inherited(configurations: Any, source: str) -> dict[str, Any]:
    """The configurations with ``inherits_from`` resolved: a child's keys replace its parent's, as in nnU-Net."""
    if not isinstance(configurations, dict):
        raise PlansError(f"{source}: configurations is not an object")
    return {name: _resolved(name, configurations, (), source) for name in configurations}


def _resolved(name: str, configurations: dict[str, Any], path: tuple[str, ...], source: str) -> Any:
    if name in path:
        raise PlansError(f"{source}: inherits_from goes round in a circle: {' -> '.join((*path, name))}")
    if name not in configurations:
        raise PlansError(f"{source}: configuration {path[-1]} inherits_from {name!r}, which does not exist")
    own = dict(configurations[name])
    parent = own.pop("inherits_from", None)
    return own if parent is None else {**_resolved(parent, configurations, (*path, name), source), **own}
