"""The default planner: from the fingerprint to one configuration per district."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ct2pet import layout
from ct2pet.dataset import Description, Fields
from ct2pet.districts.whole_body import region_labels
from ct2pet.errors import PlansError
from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.planning.budget import Budget, budget_for
from ct2pet.planning.configuration import GAUSSIAN, Augmentation, Configuration, Masking, Sampling
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.networks import NetworkSize, plan_networks
from ct2pet.planning.normalization_rules import plan_normalization
from ct2pet.planning.plans import Plans
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.slices import plan_slices
from ct2pet.planning.topology import SMALLEST_PATCH, fitting_patch, unet_topology

_CONTEXT_MM = 24.0
_BLEND_MM = 8.0
_LABEL_FRACTION = 1 / 3  # of the patches, for label targets: as nnU-Net
_SIDES = re.compile(r"(^|[_-])(left|right|l|r)([_-]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class PlanRequest:
    """A request to the planner. ``device``: the kind of device that will train. ``sized_for``: the methods whose
    training must fit into the memory (None: all). ``target_spacing``: Z, Y, X in mm, in place of the median of the
    cases. Raises PlansError for a spacing that is not three positive numbers."""

    plans_name: str = layout.DEFAULT_PLANS
    device: str = "cpu"
    memory_target_gib: float | None = None
    sized_for: Collection[str] | None = None
    target_spacing: Sequence[float] | None = None

    def __post_init__(self) -> None:
        spacing = self.target_spacing
        if spacing is not None and (len(spacing) != 3 or not all(0 < mm < math.inf for mm in spacing)):
            raise PlansError(f"the target spacing must be three positive numbers (mm), Z, Y, X; not {spacing}")


@dataclass(frozen=True)
class District:
    """A district to plan: its labels, its fingerprint, and the dataset's fields.
    ``target_spacing``: see PlanRequest."""

    name: str
    labels: list[int]
    seen: DistrictFingerprint
    fields: Fields
    target_spacing: Sequence[float] | None = None

    @property
    def spacing(self) -> list[float]:
        """The median spacing (Z, Y, X, mm) of the first target in the cases with the district, or the requested one."""
        if self.target_spacing is not None:
            return [float(mm) for mm in self.target_spacing]
        return [round(float(mm), 6) for mm in np.median(self.seen.spacings, axis=0)]

    @property
    def median_shape(self) -> list[int]:
        """Its median box in voxels of ``spacing``."""
        return self.median_shape_at(self.spacing)

    def median_shape_at(self, spacing: Sequence[float]) -> list[int]:
        """Its median box in voxels of a ``spacing`` (Z, Y, X, mm)."""
        box_mm = np.median(self.seen.box_sizes_mm, axis=0)
        return [max(1, math.ceil(mm / s - 1e-6)) for mm, s in zip(box_mm, spacing)]


def plan_experiment(
    fingerprint: Fingerprint,
    description: Description,
    requirements: Mapping[str, Requirements],
    request: PlanRequest,
) -> Plans:
    """Plans for every district that occurs in the fingerprint, and for the whole body.

    ``requirements`` of the methods by name; hyper-parameters are copied for those that support the dataset's fields.
    Slices are sized for every method in 2D. Raises PlansError where no district occurs, where no patch fits the memory,
    or where a method of ``request.sized_for`` does not support the fields.
    """
    fields = description.fields
    for name in request.sized_for or ():
        requirements[name].check(name, description)
    fitting = {name: needs for name, needs in requirements.items() if needs.problem(description) is None}
    if not fitting:
        raise PlansError(f"{fingerprint.dataset_name}: {_why_none_fits(description, requirements)}")
    budget = budget_for(request.device, request.memory_target_gib)
    sizing = [needs for name, needs in fitting.items() if request.sized_for is None or name in request.sized_for]
    of_patches = [needs for needs in _trainings(sizing) if needs.dimensions == 3]
    of_slices = [needs for needs in _trainings(fitting.values()) if needs.dimensions == 2]
    roles = network_roles(needs for needs in _trainings(fitting.values()) if needs.dimensions == 3)
    configurations = {}
    for district in occurring(fingerprint, description, request.target_spacing):
        planned = plan_configuration(district, roles, of_patches, budget)
        slices = plan_slices(planned, fields, of_slices, budget)
        configurations[district.name] = dataclasses.replace(planned, slices=slices)
    return Plans(
        dataset_name=fingerprint.dataset_name,
        plans_name=request.plans_name,
        planner="default",
        fields=planned_fields(fields),
        districts=description.districts,
        body_mask=description.body_mask,
        configurations=configurations,
        models={name: dict(needs.hyperparameters) for name, needs in fitting.items()},
        blend_mm=_BLEND_MM,
        settings={
            "device": request.device,
            "memory_target_gib": request.memory_target_gib,
            "sized_for": sorted(fitting if request.sized_for is None else request.sized_for),
            **({} if request.target_spacing is None else {"target_spacing": list(request.target_spacing)}),
        },
        segmenters=list(fingerprint.segmenters),
    )


def _why_none_fits(description: Description, requirements: Mapping[str, Requirements]) -> str:
    """Which keys of dataset.json the methods need that support its fields; or that no method supports them."""
    supporting = {name: needs for name, needs in requirements.items() if not needs.fields.problem(description.fields)}
    missing = [f"{name} {needs.problem(description)}" for name, needs in supporting.items()]
    return "; ".join(missing) or "no method supports the fields of its dataset.json"


def _trainings(requirements: Iterable[Requirements]) -> list[Requirements]:
    return [training for needs in requirements for training in needs.trainings]


def network_roles(trainings: Iterable[Requirements]) -> list[str]:
    """The roles of the networks that these trainings take from the plans, each once."""
    return list(dict.fromkeys(need.plan for needs in trainings for need in needs.networks.values()))


def planned_fields(fields: Fields) -> list:
    """The fields of plans: inputs, targets and conditions."""
    return [*fields.inputs, *fields.targets, *fields.conditions]


def occurring(
    fingerprint: Fingerprint, description: Description, target_spacing: Sequence[float] | None = None
) -> Iterator[District]:
    """The districts that occur in a case, then the whole body. Raises PlansError where none occurs."""
    labels = region_labels(description.districts)
    found = [name for name in labels if name in fingerprint.districts and fingerprint.districts[name].cases]
    if not found:
        names = ", ".join(labels)
        raise PlansError(f"{fingerprint.dataset_name}: no training case has any of the districts {names}")
    for name in found:
        yield District(name, labels[name], fingerprint.districts[name], description.fields, target_spacing)


def plan_configuration(
    district: District, roles: Collection[str], requirements: list[Requirements], budget: Budget
) -> Configuration:
    """The plan of one district. Raises PlansError where no patch fits the memory."""
    for batch_size in (min(2, budget.max_batch), 1):
        for patch_size in _patches(district.median_shape, district.spacing, budget):
            planned = _configuration(district, roles, patch_size, batch_size, budget)
            if _fits(planned, district.fields, requirements, budget):
                return _with_larger_batch(planned, district.fields, requirements, budget)
    raise PlansError(
        f"{district.name}: no training fits into {budget.memory_gib:.2f} GiB of memory; raise -gpu_memory_target"
    )


def _patches(shape: list[int], spacing: list[float], budget: Budget) -> Iterator[list[int]]:
    """Patches within the district's box in decreasing size: cubes (in mm) where the box is large enough."""
    smallest = SMALLEST_PATCH * min(spacing)
    edge_mm = max(smallest, *(n * s for n, s in zip(shape, spacing)))
    last: list[int] = []
    while edge_mm >= smallest:
        patch_size = fitting_patch([edge_mm / s for s in spacing], shape, spacing, budget.max_stages)
        if patch_size != last and math.prod(patch_size) <= budget.max_patch_voxels:
            yield patch_size
            last = patch_size
        edge_mm *= 0.98


def _fits(planned: Configuration, fields: Fields, requirements: list[Requirements], budget: Budget) -> bool:
    needed = (estimate_training_gib(planned, fields, needs, budget.device) for needs in requirements)
    return all(gib <= budget.memory_gib for gib in needed)


def _with_larger_batch(
    planned: Configuration, fields: Fields, requirements: list[Requirements], budget: Budget
) -> Configuration:
    while planned.batch_size < budget.max_batch:
        larger = dataclasses.replace(planned, batch_size=planned.batch_size + 1)
        if not _fits(larger, fields, requirements, budget):
            break
        planned = larger
    return planned


def _configuration(
    district: District, roles: Collection[str], patch_size: list[int], batch_size: int, budget: Budget
) -> Configuration:
    fields, spacing = district.fields, district.spacing
    topology = unet_topology(patch_size, spacing, budget.max_stages)
    size = NetworkSize(patch_size, topology, budget.base_features, budget.max_features)
    return Configuration(
        labels=district.labels,
        spacing=spacing,
        median_shape=district.median_shape,
        patch_size=patch_size,
        batch_size=batch_size,
        normalization=plan_normalization(fields, district.seen),
        masking=Masking("context", _CONTEXT_MM),
        sampling=planned_sampling(fields),
        augmentation=Augmentation(
            rotation_degrees=[10.0, 10.0, 10.0],
            rotation_probability=0.3,
            flip_axes=planned_flip_axes(fields),
            flip_probability=0.5,
            noise_std=0.01,
            noise_probability=0.3,
        ),
        tile_overlap=0.5,
        window_weights=GAUSSIAN,
        mirror_axes=planned_flip_axes(fields) if budget.device == "cuda" else [],
        networks=plan_networks(roles, size),
    )


def planned_sampling(fields: Fields) -> Sampling:
    """Sampling of patches. Images of a class without an input are centred on the lesions of that class, with all
    classes sampled equally often; without lesion masks at random positions."""
    if not fields.inputs and fields.conditions:
        return Sampling(lesion_fraction=1.0, balanced_over=fields.conditions[0].name, lesions_centred=True)
    return Sampling(lesion_fraction=0.1, label_fraction=_LABEL_FRACTION if fields.label_maps else 0.0)


def planned_flip_axes(fields: Fields) -> list[int]:
    """The axes to mirror: only left-right, which is nearly symmetric, and only without labels of a side."""
    sided = any(_SIDES.search(name) for one in fields.label_maps for name in one.labels)
    return [] if sided else [2]
