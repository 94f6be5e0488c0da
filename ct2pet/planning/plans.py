"""Plans: every decision that later stages need, as frozen dataclasses and as one JSON file that users edit."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dacite

from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import Ct2PetError, PlansError
from ct2pet.files import read_json, write_json
from ct2pet.fingerprint.fingerprint import WHOLE_BODY as WHOLE_BODY
from ct2pet.planning.topology import patchgan_maps

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CTNormalization:
    """CT values are clipped to [lower_hu, upper_hu] and mapped linearly to [-1, 1]."""

    lower_hu: float
    upper_hu: float


@dataclass(frozen=True)
class PETNormalization:
    """PET values [lower_suv, upper_suv] (SUV, g/ml) are mapped linearly to [0, 1]; ``clip`` cuts off the rest."""

    lower_suv: float
    upper_suv: float
    clip: bool


@dataclass(frozen=True)
class Masking:
    """Which CT voxels a network sees: the district alone (``hard``, as the paper), or those within ``margin_mm`` of it
    too (``context``). All others are air. Losses and errors count inside the district in both cases."""

    kind: str
    margin_mm: float


@dataclass(frozen=True)
class Sampling:
    """Where training patches come from: ``lesion_fraction`` of them are centred on a lesion voxel (of cases that have
    any), the others on a random voxel of the district."""

    lesion_fraction: float


@dataclass(frozen=True)
class Augmentation:
    """Spatial transforms of CT and PET together, and Gaussian noise on the normalised CT. Axes are Z, Y, X."""

    rotation_degrees: list[float]
    rotation_probability: float
    flip_axes: list[int]
    flip_probability: float
    noise_std: float
    noise_probability: float


@dataclass(frozen=True)
class NetworkPlan:
    """A network by the dotted name of its class, and the arguments that it is called with.

    Arguments that are classes (``norm_op``) are dotted names too; see networks.build_network.
    """

    network_class: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Slices:
    """The decisions for methods that see axial slices: ``patch_size`` (voxels: Y, X), slices per step, 2D networks."""

    patch_size: list[int]
    batch_size: int
    generator: NetworkPlan
    discriminator: NetworkPlan


@dataclass(frozen=True)
class Configuration:
    """The decisions for one district, or for the whole body.

    ``spacing`` (mm), ``median_shape`` and ``patch_size`` (voxels) are in the order Z, Y, X. ``tile_overlap`` is the
    share of a window that its neighbour covers again. ``slices``: the same for methods in 2D; None in older plans and
    where none was planned.
    """

    labels: list[int]
    spacing: list[float]
    median_shape: list[int]
    patch_size: list[int]
    batch_size: int
    ct_normalization: CTNormalization
    pet_normalization: PETNormalization
    masking: Masking
    sampling: Sampling
    augmentation: Augmentation
    tile_overlap: float
    mirror_axes: list[int]
    generator: NetworkPlan
    discriminator: NetworkPlan
    slices: Slices | None = None

    def as_seen_in(self, dimensions: int) -> Configuration:
        """The decisions as a method of so many ``dimensions`` sees them: in 2D patches are one voxel thick, networks
        are those of the slices, and nothing is turned or flipped out of its slice.

        Raises PlansError where 2D is asked for and not planned.
        """
        if dimensions == 3:
            return self
        if self.slices is None:
            raise PlansError(
                "these plans have no slices for methods in 2D; make plans that have: ct2pet_plan_experiment"
            )
        turned = self.augmentation
        return dataclasses.replace(
            self,
            patch_size=[1, *self.slices.patch_size],
            batch_size=self.slices.batch_size,
            augmentation=dataclasses.replace(
                turned,
                rotation_degrees=[turned.rotation_degrees[0], 0.0, 0.0],
                flip_axes=[axis for axis in turned.flip_axes if axis != 0],
            ),
            mirror_axes=[axis for axis in self.mirror_axes if axis != 0],
            generator=self.slices.generator,
            discriminator=self.slices.discriminator,
            slices=None,
        )


@dataclass(frozen=True)
class Plans:
    """All plans of a dataset. ``models`` holds each method's hyper-parameters by its name."""

    dataset_name: str
    plans_name: str
    planner: str
    districts: dict[str, int]
    configurations: dict[str, Configuration]
    models: dict[str, dict[str, Any]]
    blend_mm: float
    schema_version: int = SCHEMA_VERSION
    settings: dict[str, Any] = field(default_factory=dict)  # what the user asked of the planner, for the record
    segmenters: list[SegmenterIdentity] = field(default_factory=list)  # as in the fingerprint; older plans have none

    def configuration(self, name: str) -> Configuration:
        """The configuration ``name``. Raises PlansError that lists those there are."""
        if name not in self.configurations:
            known = ", ".join(self.configurations)
            raise PlansError(f"the plans {self.plans_name} have no configuration {name!r}; there are: {known}")
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
        if version != SCHEMA_VERSION:
            raise PlansError(f"{source}: schema_version {version!r}, this ct2pet reads {SCHEMA_VERSION}: plan again")
        content = {**content, "configurations": _inherited(content.get("configurations", {}), source)}
        try:
            plans = dacite.from_dict(cls, content, dacite.Config(strict=True, type_hooks={float: _to_float}))
        except (dacite.DaciteError, TypeError, ValueError) as error:
            raise PlansError(f"{source}: {explained(error)}") from None
        for name, configuration in plans.configurations.items():
            _check(configuration, f"{source}: configuration {name}")
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


def _check(configuration: Configuration, where: str) -> None:
    rules = {
        "labels must be positive and at least one": configuration.labels and min(configuration.labels) > 0,
        "spacing must be three positive numbers (mm)": _positive(configuration.spacing, 3),
        "tile_overlap must be at least 0 and below 1": 0 <= configuration.tile_overlap < 1,
        "masking.kind must be hard or context": configuration.masking.kind in ("hard", "context"),
        "masking.margin_mm must not be negative": configuration.masking.margin_mm >= 0,
        "sampling.lesion_fraction must be 0 to 1": 0 <= configuration.sampling.lesion_fraction <= 1,
        "axes must be among 0, 1, 2": {*configuration.mirror_axes, *configuration.augmentation.flip_axes} <= {0, 1, 2},
        "ct_normalization needs lower_hu < upper_hu": configuration.ct_normalization.lower_hu
        < configuration.ct_normalization.upper_hu,
        "pet_normalization needs lower_suv < upper_suv": configuration.pet_normalization.lower_suv
        < configuration.pet_normalization.upper_suv,
    }
    _hold(rules, where)
    _check_networks(configuration, 3, where)
    if configuration.slices is not None:
        _check_networks(configuration.slices, 2, f"{where}: slices")


def _check_networks(planned: Configuration | Slices, dimensions: int, where: str) -> None:
    size = planned.patch_size
    multiples = network_multiples(planned.generator, dimensions)
    maps = patchgan_maps(size or [0], planned.discriminator.arguments.get("strides", []))
    number = {2: "two", 3: "three"}[dimensions]
    rules = {
        f"patch_size must be {number} positive numbers (voxels)": _positive(size, dimensions),
        f"patch_size must be multiples of {multiples}, as the generator's strides ask": all(
            n % multiple == 0 for n, multiple in zip(size, multiples)
        ),
        "patch_size is too small for the discriminator's strides": min(map(min, maps)) >= 1,
        "batch_size must be at least 1": planned.batch_size >= 1,
    }
    _hold(rules, where)


def _hold(rules: dict[str, Any], where: str) -> None:
    for rule, holds in rules.items():
        if not holds:
            raise PlansError(f"{where}: {rule}")


def network_multiples(network: NetworkPlan, dimensions: int = 3) -> list[int]:
    """What a patch must be a multiple of along each axis: the product of the network's strides."""
    strides = network.arguments.get("strides", [[1] * dimensions])
    return [math.prod(axis) for axis in zip(*strides)]


def _positive(values: list, number: int) -> bool:
    return len(values) == number and min(values) > 0
