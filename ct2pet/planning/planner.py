"""The default planner: from the fingerprint's numbers to one configuration per district."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ct2pet.errors import PlansError
from ct2pet.fingerprint.fingerprint import DistrictFingerprint, Fingerprint
from ct2pet.parallel import available_memory_gib
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.networks import plan_discriminator, plan_generator
from ct2pet.planning.plans import (
    WHOLE_BODY,
    Augmentation,
    Configuration,
    CTNormalization,
    Masking,
    PETNormalization,
    Plans,
    Sampling,
)
from ct2pet.planning.requirements import Requirements
from ct2pet.planning.slices import plan_slices
from ct2pet.planning.topology import SMALLEST_PATCH, fitting_patch, unet_topology

_PET_WINDOW = PETNormalization(lower_suv=0.0, upper_suv=10.0, clip=False)
_CONTEXT_MM = 24.0
_BLEND_MM = 8.0
_NARROWEST_WINDOW_HU = 100.0  # a district of one tissue still tells it from its neighbours
_WINDOW_MARGIN = 0.25
_SHARE_OF_RAM = 0.5


@dataclass(frozen=True)
class Budget:
    """What a device can bear: memory, and on a CPU the voxels of a patch, so that a step takes about 0.3 s."""

    device: str
    memory_gib: float
    base_features: int
    max_features: int
    max_stages: int
    max_patch_voxels: int
    max_batch: int


def budget_for(device: str, memory_target_gib: float | None = None) -> Budget:
    """The budget of ``cpu`` (by default half of the free RAM) or ``cuda`` (by default 8 GiB, as nnU-Net)."""
    if memory_target_gib is not None and memory_target_gib <= 0:
        raise PlansError(f"a memory target of {memory_target_gib} GiB cannot hold a training")
    if device == "cuda":
        return Budget(device, memory_target_gib or 8.0, 32, 320, 6, 192**3, 8)
    return Budget(device, memory_target_gib or _SHARE_OF_RAM * available_memory_gib(), 8, 128, 5, 40**3, 2)


def plan_experiment(
    fingerprint: Fingerprint,
    districts: Mapping[str, int],
    requirements: Mapping[str, Requirements],
    *,
    plans_name: str = "ct2petPlans",
    device: str = "cpu",
    memory_target_gib: float | None = None,
    sized_for: Collection[str] | None = None,
) -> Plans:
    """Plans for every district that occurs in the fingerprint, and for the whole body.

    ``requirements`` of the methods by name: their hyper-parameters are copied. Patch and batch leave memory for the
    most demanding one of ``sized_for`` (None: of all); slices leave it for every method in 2D. Raises PlansError
    where nothing occurs or no patch fits the memory.
    """
    budget = budget_for(device, memory_target_gib)
    sizing = [needs for name, needs in requirements.items() if sized_for is None or name in sized_for]
    of_patches = [needs for needs in _trainings(sizing) if needs.dimensions == 3]
    of_slices = [needs for needs in _trainings(requirements.values()) if needs.dimensions == 2]
    configurations = {}
    for name, labels, seen in occurring(fingerprint, districts):
        planned = plan_configuration(name, seen, labels, of_patches, budget)
        configurations[name] = dataclasses.replace(planned, slices=plan_slices(planned, of_slices, budget))
    return Plans(
        dataset_name=fingerprint.dataset_name,
        plans_name=plans_name,
        planner="default",
        districts=dict(districts),
        configurations=configurations,
        models={name: dict(needs.hyperparameters) for name, needs in requirements.items()},
        blend_mm=_BLEND_MM,
        settings={
            "device": device,
            "memory_target_gib": memory_target_gib,
            "sized_for": sorted(requirements if sized_for is None else sized_for),
        },
        segmenters=list(fingerprint.segmenters),
    )


def _trainings(requirements: Iterable[Requirements]) -> list[Requirements]:
    return [training for needs in requirements for training in needs.trainings]


def occurring(
    fingerprint: Fingerprint, districts: Mapping[str, int]
) -> Iterator[tuple[str, list[int], DistrictFingerprint]]:
    """Name, labels and fingerprint of the districts that some case has, then of the whole body. Raises PlansError
    where there is none."""
    labels = {name: [label] for name, label in districts.items() if name != WHOLE_BODY}
    labels[WHOLE_BODY] = sorted(districts.values())
    found = [name for name in labels if name in fingerprint.districts and fingerprint.districts[name].cases]
    if not found:
        raise PlansError(
            f"{fingerprint.dataset_name}: no training case has any of the districts {', '.join(districts)}"
        )
    for name in found:
        yield name, labels[name], fingerprint.districts[name]


def median_spacing(seen: DistrictFingerprint) -> list[float]:
    """The median PET spacing (Z, Y, X, mm) of the cases in which the district occurs."""
    return [round(float(mm), 6) for mm in np.median(seen.pet_spacings, axis=0)]


def median_shape(seen: DistrictFingerprint, spacing: list[float]) -> list[int]:
    """The district's median box in voxels of ``spacing``."""
    box_mm = np.median(seen.box_sizes_mm, axis=0)
    return [max(1, math.ceil(mm / s - 1e-6)) for mm, s in zip(box_mm, spacing)]


def plan_configuration(
    name: str, seen: DistrictFingerprint, labels: list[int], requirements: list[Requirements], budget: Budget
) -> Configuration:
    """The decisions for one district. Raises PlansError where no patch fits the memory."""
    spacing = median_spacing(seen)
    shape = median_shape(seen, spacing)
    for batch_size in (min(2, budget.max_batch), 1):
        for patch_size in _patches(shape, spacing, budget):
            planned = _configuration(seen, labels, spacing, shape, patch_size, batch_size, budget)
            if _fits(planned, requirements, budget):
                return _with_larger_batch(planned, requirements, budget)
    raise PlansError(f"{name}: no training fits into {budget.memory_gib:.2f} GiB of memory; ask for a larger target")


def _patches(shape: list[int], spacing: list[float], budget: Budget) -> Iterator[list[int]]:
    """Patches within the district's box, from the largest down: cubes (in mm) as far as the box lets them."""
    smallest = SMALLEST_PATCH * min(spacing)
    edge_mm = max(smallest, *(n * s for n, s in zip(shape, spacing)))
    last: list[int] = []
    while edge_mm >= smallest:
        patch_size = fitting_patch([edge_mm / s for s in spacing], shape, spacing, budget.max_stages)
        if patch_size != last and math.prod(patch_size) <= budget.max_patch_voxels:
            yield patch_size
            last = patch_size
        edge_mm *= 0.98


def _fits(planned: Configuration, requirements: list[Requirements], budget: Budget) -> bool:
    return all(estimate_training_gib(planned, needs, budget.device) <= budget.memory_gib for needs in requirements)


def _with_larger_batch(planned: Configuration, requirements: list[Requirements], budget: Budget) -> Configuration:
    while planned.batch_size < budget.max_batch:
        larger = dataclasses.replace(planned, batch_size=planned.batch_size + 1)
        if not _fits(larger, requirements, budget):
            break
        planned = larger
    return planned


def _configuration(
    seen: DistrictFingerprint,
    labels: list[int],
    spacing: list[float],
    shape: list[int],
    patch_size: list[int],
    batch_size: int,
    budget: Budget,
) -> Configuration:
    return Configuration(
        labels=labels,
        spacing=spacing,
        median_shape=shape,
        patch_size=patch_size,
        batch_size=batch_size,
        ct_normalization=ct_window(seen),
        pet_normalization=_PET_WINDOW,
        masking=Masking("context", _CONTEXT_MM),
        sampling=Sampling(lesion_fraction=0.1),
        augmentation=Augmentation(
            rotation_degrees=[10.0, 10.0, 10.0],
            rotation_probability=0.3,
            flip_axes=[2],  # left and right are nearly alike; head and feet, front and back are not
            flip_probability=0.5,
            noise_std=0.01,
            noise_probability=0.3,
        ),
        tile_overlap=0.5,
        mirror_axes=[2] if budget.device == "cuda" else [],
        generator=plan_generator(
            unet_topology(patch_size, spacing, budget.max_stages), budget.base_features, budget.max_features
        ),
        discriminator=plan_discriminator(patch_size, budget.base_features),
    )


def ct_window(seen: DistrictFingerprint) -> CTNormalization:
    """The CT window (HU): the district's own 5 to 95 per cent and a quarter of that on both sides, within its 0.5 to
    99.5 per cent.

    Dense bone is a few per cent of a district, and a window that holds all of it leaves soft tissues, where the tracer
    differs, only a few per cent of contrast.
    """
    at = seen.ct_percentiles_hu
    margin = _WINDOW_MARGIN * (at["95"] - at["5"])
    lower = round(max(at["0.5"], at["5"] - margin), 1)
    upper = round(min(at["99.5"], at["95"] + margin), 1)
    missing = max(0.0, _NARROWEST_WINDOW_HU - (upper - lower))
    return CTNormalization(lower - missing / 2, upper + missing / 2)
