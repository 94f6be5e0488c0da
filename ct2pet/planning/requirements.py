"""What a method takes and what it has in memory: handed to planning, which imports no methods."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from ct2pet.dataset import Description, Field, Fields
from ct2pet.errors import PlansError

INPUTS, TARGETS, CONDITIONS, DIMENSIONS = "inputs", "targets", "conditions", "dimensions"
_UNLIMITED = 10**6


@dataclass(frozen=True)
class NetworkNeed:
    """One network of a method.

    ``plan``: the role in the plans whose class and arguments it has; ``own_plan``: a role of this method alone, which
    takes its place in plans that have it (the planner makes none). ``inputs``: what it sees as channels, ``outputs``:
    what it gives; each part is INPUTS or TARGETS (all channels of the dataset's fields of this role), CONDITIONS (one
    for each class) or DIMENSIONS (a displacement); a network of several decoders gives each target apart
    (``separate_outputs``). ``copies``: how many are in memory. ``passes``: how often the activations of one are held at
    once in one update (a generator that is trained through its discriminator holds one pass of both).
    """

    plan: str = "generator"
    inputs: tuple[str, ...] = (INPUTS,)
    outputs: tuple[str, ...] = (TARGETS,)
    separate_outputs: bool = False
    copies: int = 1
    passes: int = 1
    own_plan: str = ""

    def role(self, networks: Container[str]) -> str:
        """Which of the roles of the plans' ``networks`` it has."""
        return self.own_plan if self.own_plan in networks else self.plan

    def in_channels(self, fields: Fields, dimensions: int) -> int:
        return sum(_channels(part, fields, dimensions) for part in self.inputs)

    def out_channels(self, fields: Fields, dimensions: int) -> int | list[int]:
        """The channels that the network gives: of each decoder, where there are several."""
        if self.separate_outputs:
            return [one.num_channels for one in fields.targets]
        return sum(_channels(part, fields, dimensions) for part in self.outputs)


def _channels(part: str, fields: Fields, dimensions: int) -> int:
    if part == DIMENSIONS:
        return dimensions
    if part == CONDITIONS:
        return sum(len(one.labels) for one in fields.conditions)
    return sum(one.num_channels for one in (fields.inputs if part == INPUTS else fields.targets))


@dataclass(frozen=True)
class FieldNeeds:
    """How many fields of each sort a method takes: the smallest and the largest number."""

    image_inputs: tuple[int, int] = (1, _UNLIMITED)
    image_targets: tuple[int, int] = (1, 1)
    label_targets: tuple[int, int] = (0, 0)
    conditions: tuple[int, int] = (0, _UNLIMITED)

    def problem(self, fields: Fields) -> str | None:
        """Why these fields do not fit, as the end of a sentence; None where they do."""
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
    """What a method needs.

    ``fields``: which fields it takes. ``dataset_keys``: keys that dataset.json must have. ``networks``: by name.
    ``paired``: input and target patch of the same place. ``dimensions``: 3 for patches, 2 for axial slices. ``stages``:
    of a method that is trained in several stages what each one needs, by name and in order; its own ``networks`` are
    empty. ``hyperparameters``: the method's numbers with their default values, copied into the plans for users to edit.
    """

    fields: FieldNeeds = field(default_factory=FieldNeeds)
    networks: Mapping[str, NetworkNeed] = field(default_factory=dict)
    dataset_keys: tuple[str, ...] = ()
    paired: bool = True
    dimensions: int = 3
    stages: Mapping[str, Requirements] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trainings(self) -> tuple[Requirements, ...]:
        """What is in memory at once: the stages' needs, or those of the one training."""
        return tuple(self.stages.values()) or (self,)

    def problem(self, description: Description) -> str | None:
        """Why a dataset does not fit, as the end of a sentence; None where it does."""
        missing = [key for key in self.dataset_keys if key not in description.content]
        if missing:
            return f"needs the key {missing[0]} in dataset.json"
        return self.fields.problem(description.fields)

    def check(self, method: str, description: Description) -> None:
        """Raise PlansError where a method that is called ``method`` cannot take this dataset."""
        problem = self.problem(description)
        if problem is not None:
            raise PlansError(f"{method} {problem}")
