"""The fields that a method supports and its networks in memory, for planning, which does not import methods."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ct2pet.dataset import Description, Field, Fields
from ct2pet.errors import PlansError
from ct2pet.planning.configuration import Configuration, Normalization

INPUTS, TARGETS, CONDITIONS, DIMENSIONS = "inputs", "targets", "conditions", "dimensions"
WINDOWS, LESION = "windows", "lesion"
_UNLIMITED = 10**6


@dataclass(frozen=True)
class NetworkNeed:
    """One network of a method.

    ``plan``: the role in the plans with its class and arguments; ``own_plan``: a role of this method only, used instead
    in plans that have it (the planner makes none). ``inputs``: its input channels, ``outputs``: its output channels;
    each part is INPUTS or TARGETS (all channels of the dataset's fields of this role), WINDOWS (the planned windows of
    INPUTS, which come first), CONDITIONS (one for each class), DIMENSIONS (a displacement) or LESION (the logit of a
    lesion); a network of several decoders has one output per target (``separate_outputs``).
    ``copies``: the number in memory. ``passes``: how many times the activations of one are in memory in one update (a
    generator trained through its discriminator has one pass of both).
    """

    plan: str = "generator"
    inputs: tuple[str, ...] = (INPUTS, WINDOWS)
    outputs: tuple[str, ...] = (TARGETS,)
    separate_outputs: bool = False
    copies: int = 1
    passes: int = 1
    own_plan: str = ""

    @property
    def has_windows(self) -> bool:
        """Whether its input has the planned windows."""
        return WINDOWS in self.inputs

    def role(self, networks: Container[str]) -> str:
        """Its role among the plans' ``networks``."""
        return self.own_plan if self.own_plan in networks else self.plan

    def in_channels(self, fields: Fields, planned: Configuration, dimensions: int) -> int:
        windows = sum(len(plan.windows) for _, plan in normalized_inputs(fields, planned)) if self.has_windows else 0
        return windows + sum(_channels(part, fields, dimensions) for part in self.inputs if part != WINDOWS)

    def out_channels(self, fields: Fields, dimensions: int) -> int | list[int]:
        """The output channels of the network, for each decoder."""
        if self.separate_outputs:
            return [one.num_channels for one in fields.targets]
        return sum(_channels(part, fields, dimensions) for part in self.outputs)


def normalized_inputs(fields: Fields, planned: Configuration) -> Iterator[tuple[int, Normalization]]:
    """The channel and the normalization of each input image."""
    channel = 0
    for one in fields.inputs:
        if one.name in planned.normalization:
            yield channel, planned.normalization[one.name]
        channel += one.num_channels


def _channels(part: str, fields: Fields, dimensions: int) -> int:
    if part == DIMENSIONS:
        return dimensions
    if part == LESION:
        return 1
    if part == CONDITIONS:
        return sum(len(one.labels) for one in fields.conditions)
    return sum(one.num_channels for one in (fields.inputs if part == INPUTS else fields.targets))


@dataclass(frozen=True)
class FieldNeeds:
    """The number of fields of each kind that a method supports: minimum and maximum."""

    image_inputs: tuple[int, int] = (1, _UNLIMITED)
    image_targets: tuple[int, int] = (1, 1)
    label_targets: tuple[int, int] = (0, 0)
    conditions: tuple[int, int] = (0, _UNLIMITED)

    def problem(self, fields: Fields) -> str | None:
        """Why these fields are not supported, as the end of a sentence; None where they are."""
        counts: dict[str, tuple[tuple[Field, ...], tuple[int, int]]] = {
            "input image": (_images(fields.inputs), self.image_inputs),
            "target image": (_images(fields.targets), self.image_targets),
            "target label map": (_label_maps(fields.targets), self.label_targets),
            "condition": (fields.conditions, self.conditions),
        }
        for what, (found, (least, most)) in counts.items():
            if not least <= len(found) <= most:
                wanted = (
                    f"{least}" if least == most else f"at least {least}" if most == _UNLIMITED else f"{least} to {most}"
                )
                return f"takes {wanted} {what}(s), and the dataset has {len(found)}"
        return None


def _images(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(one for one in fields if not one.rules.is_labels)


def _label_maps(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(one for one in fields if one.rules.is_labels)


@dataclass(frozen=True)
class Requirements:
    """The requirements of a method.

    ``fields``: the supported fields. ``dataset_keys``: keys that dataset.json must have. ``networks``: by name.
    ``paired``: input and target patch have the same position. ``needs_lesions``: batches contain the masks of lesions,
    and a training case must have one. ``dimensions``: 3 for patches, 2 for axial slices.
    ``stages``: for a method trained in several stages the requirements of each, by name and in order; its own
    ``networks`` are empty. ``hyperparameters``: the method's parameters with default values, copied into the plans for
    editing.
    """

    fields: FieldNeeds = field(default_factory=FieldNeeds)
    networks: Mapping[str, NetworkNeed] = field(default_factory=dict)
    dataset_keys: tuple[str, ...] = ()
    paired: bool = True
    needs_lesions: bool = False
    dimensions: int = 3
    stages: Mapping[str, Requirements] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trainings(self) -> tuple[Requirements, ...]:
        """The requirements of each training: of the stages, or of the only one."""
        return tuple(self.stages.values()) or (self,)

    def problem(self, description: Description) -> str | None:
        """Why a dataset is not supported, as the end of a sentence; None where it is."""
        missing = [key for key in self.dataset_keys if key not in description.content]
        if missing:
            return f"needs the key {missing[0]} in dataset.json"
        return self.fields.problem(description.fields)

    def check(self, method: str, description: Description) -> None:
        """Raise PlansError where the method named ``method`` does not support this dataset."""
        problem = self.problem(description)
        if problem is not None:
            raise PlansError(f"{method} {problem}")
