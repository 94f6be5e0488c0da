"""Plans: all parameters of later stages, as frozen dataclasses and as one JSON file that users can edit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ct2pet.dataset.description import WHOLE_BODY as WHOLE_BODY
from ct2pet.dataset.fields import Field, Fields
from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import PlansError
from ct2pet.files import read_json, write_json
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plan_rules import check_configuration, check_fields
from ct2pet.planning.version_1 import translate_version_1
from ct2pet.schema import parse_as
from ct2pet.suggestions import did_you_mean

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Plans:
    """All plans of a dataset. ``fields``: its inputs, targets and conditions. ``districts``: empty where it has none;
    the body is then found in the input ``body_mask`` (None: all voxels count). ``models``: the hyper-parameters of each
    method by its name."""

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
    settings: dict[str, Any] = field(default_factory=dict)  # the request to the planner, for the record
    segmenters: list[SegmenterIdentity] = field(default_factory=list)  # as in the fingerprint; older plans have none

    @property
    def all_fields(self) -> Fields:
        """Inputs, targets and conditions."""
        return Fields(tuple(self.fields))

    @property
    def default_configurations(self) -> list[str]:
        """The default configurations of a training: the districts, or the whole body of a dataset without districts."""
        return [name for name in self.configurations if name != WHOLE_BODY] or [WHOLE_BODY]

    def configuration(self, name: str) -> Configuration:
        """The configuration ``name``. Raises PlansError that lists the configurations."""
        if name not in self.configurations:
            known = ", ".join(self.configurations)
            hint = did_you_mean(name, self.configurations)
            raise PlansError(f"the plans {self.plans_name} have no configuration {name!r}; there are: {known}{hint}")
        return self.configurations[name]

    def hyperparameters(self, model: str) -> dict[str, Any]:
        """The hyper-parameters of ``model``; empty (the method's defaults) where the plans have none."""
        return dict(self.models.get(model, {}))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def save(self, path: Path) -> None:
        write_json(path, self.to_json())

    @classmethod
    def from_json(cls, content: Any, source: str = "plans") -> Plans:
        """Plans from parsed JSON. Raises PlansError that names ``source`` and the path of an unknown or missing key, a
        value of another type, or a broken rule."""
        content = parse_as(content, dict[str, Any], source, PlansError)
        version = content.get("schema_version")
        if isinstance(version, bool) or version not in (1, SCHEMA_VERSION):
            raise PlansError(
                f"{source}: schema_version {version!r} is not supported, only {SCHEMA_VERSION}; plan again"
            )
        if isinstance(configurations := content.get("configurations"), dict):
            content["configurations"] = _inherited(configurations, source)
        if version == 1:
            content = translate_version_1(content)
        plans = parse_as(content, cls, source, PlansError)
        check_fields(plans.fields, source)
        if plans.blend_mm < 0:
            raise PlansError(f"{source}: blend_mm must be a number from 0 on (mm), not {plans.blend_mm}")
        for name, configuration in plans.configurations.items():
            check_configuration(configuration, plans.all_fields, f"{source}: configuration {name}")
        return plans

    @classmethod
    def load(cls, path: Path) -> Plans:
        """Plans from a JSON file. Raises PlansError that names the file."""
        return cls.from_json(read_json(path, PlansError), str(path))


def _inherited(configurations: dict[str, Any], source: str) -> dict[str, Any]:
    """The configurations with ``inherits_from`` resolved: a child's keys replace its parent's, as in nnU-Net."""
    return {name: _resolved(name, configurations, (), source) for name in configurations}


def _resolved(name: str, configurations: dict[str, Any], path: tuple[str, ...], source: str) -> Any:
    """One configuration; a value that is not an object is not changed, so that parsing reports its path."""
    if name in path:
        raise PlansError(f"{source}: circular inherits_from: {' -> '.join((*path, name))}")
    if name not in configurations:
        raise PlansError(f"{source}: configuration {path[-1]} inherits_from {name!r}, which does not exist")
    own = configurations[name]
    if not isinstance(own, dict):
        return own
    rest = dict(own)
    parent = rest.pop("inherits_from", None)
    if parent is None:
        return rest
    if not isinstance(parent, str):
        raise PlansError(f"{source}: configuration {name}: inherits_from must be the name of a configuration")
    inherited = _resolved(parent, configurations, (*path, name), source)
    return {**inherited, **rest} if isinstance(inherited, dict) else inherited
