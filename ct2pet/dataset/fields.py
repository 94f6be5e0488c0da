"""What a case consists of: named fields, each with a role and a kind.

A stage never looks at a field's name. It takes the fields of a role, and the rules for their values from ``KINDS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ct2pet.dataset.plausibility import ct_problems, label_problems, number_problems, pet_problems
from ct2pet.resampling import AIR_HU

INPUT, TARGET, REGION, CONDITION = "input", "target", "region", "condition"
CT, PET, LABELS, CATEGORY = "ct", "pet", "labels", "category"
DISTRICTS, LESIONS, ORGANS = "districts", "lesions", "organs"  # the regions in which errors are counted
MASK = "mask"  # the name of the district's mask beside the fields of a batch


@dataclass(frozen=True)
class Kind:
    """What every stage must know of a kind of image.

    ``unit``; ``outside``: the value beyond the image, in this unit; ``interpolation``: ``linear`` or ``nearest``;
    ``normalization``: the planner's rule (``percentile_window``, ``suv_window``, or empty: labels stay as they are);
    ``storage``: the type of stored voxels; ``metrics``: what the evaluation counts (``suv``, ``overlap``, or empty:
    nothing); ``merge``: how overlapping windows become one volume (``mean`` of the values, or the label of the highest
    mean ``probability``); ``problems``: signs that an array is not of this kind (of labels see Field.problems).
    """

    unit: str
    outside: float
    interpolation: str
    normalization: str
    storage: str
    metrics: str
    merge: str
    problems: Callable[[np.ndarray], list[str]] | None = None

    @property
    def is_labels(self) -> bool:
        """Whether the values are labels, which are never averaged."""
        return self.interpolation == "nearest"


KINDS: dict[str, Kind] = {
    CT: Kind("HU", AIR_HU, "linear", "percentile_window", "float16", "", "mean", ct_problems),
    PET: Kind("SUV", 0.0, "linear", "suv_window", "float16", "suv", "mean", pet_problems),
    LABELS: Kind("label", 0.0, "nearest", "", "uint16", "overlap", "probability"),
}


@dataclass(frozen=True)
class Field:
    """One part of a case: an image, a label map, or a value of cases.csv.

    ``role``: ``input``, ``target``, ``region`` (to count errors in) or ``condition``. ``kind``: a key of KINDS, or
    ``category`` for a condition. The file of a case is ``folder`` + Tr or Ts / CASE + ``suffix`` + the file ending.
    ``labels``: name to number, of label maps (0 is the background) and of a condition's classes (from 0 on).
    """

    name: str
    role: str
    kind: str
    unit: str = ""
    folder: str = ""
    suffix: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def rules(self) -> Kind:
        """What holds for its kind."""
        return KINDS[self.kind]

    def problems(self, array: np.ndarray) -> list[str]:
        """Signs that an array (Z, Y, X) does not hold this field, each a sentence."""
        if self.rules.problems is not None:
            return number_problems(array) or self.rules.problems(array)
        known = self.labels.values() or None
        return number_problems(array) or label_problems(array, known, needs_one=self.name == DISTRICTS)

    @property
    def num_channels(self) -> int:
        """How many channels a network gives for it: one a label and one for the background, or one."""
        return max(self.labels.values(), default=0) + 1 if self.kind == LABELS else 1


@dataclass(frozen=True)
class Fields:
    """The fields of a dataset, in their order: inputs by channel number, targets, conditions, regions."""

    everything: tuple[Field, ...]

    def __iter__(self) -> Iterator[Field]:
        return iter(self.everything)

    def __getitem__(self, name: str) -> Field:
        return {one.name: one for one in self.everything}[name]

    def __contains__(self, name: object) -> bool:
        return any(one.name == name for one in self.everything)

    @property
    def inputs(self) -> tuple[Field, ...]:
        return self._of(INPUT)

    @property
    def targets(self) -> tuple[Field, ...]:
        return self._of(TARGET)

    @property
    def conditions(self) -> tuple[Field, ...]:
        return self._of(CONDITION)

    @property
    def images(self) -> tuple[Field, ...]:
        """Inputs and targets with values to be normalised."""
        return tuple(one for one in (*self.inputs, *self.targets) if not one.rules.is_labels)

    @property
    def label_maps(self) -> tuple[Field, ...]:
        """Inputs and targets that are label maps."""
        return tuple(one for one in (*self.inputs, *self.targets) if one.rules.is_labels)

    def _of(self, role: str) -> tuple[Field, ...]:
        return tuple(one for one in self.everything if one.role == role)

    def with_inputs(self, inputs: Sequence[Field]) -> Fields:
        """The same with other inputs: for a stage that sees what an earlier one predicted."""
        others = [one for one in self.everything if one.role != INPUT]
        return Fields((*(replace(one, role=INPUT) for one in inputs), *others))

    def to_json(self) -> list[dict[str, Any]]:
        """For plans: inputs, targets and conditions (regions are the dataset's alone)."""
        return [asdict(one) for one in self.everything if one.role != REGION]


def ct_to_pet(organs: Mapping[str, int] | None = None) -> Fields:
    """The fields of a dataset of paired CT and PET."""
    return Fields(
        (
            Field("CT", INPUT, CT, KINDS[CT].unit, "images", "_0000"),
            Field("PET", TARGET, PET, "SUVbw g/ml", "targets"),
            *region_fields(organs or {}),
        )
    )


def region_fields(organs: Mapping[str, int], districts: Mapping[str, int] | None = None) -> tuple[Field, ...]:
    """The label maps in which errors are counted, which every dataset may have."""
    unit = KINDS[LABELS].unit
    return (
        Field(DISTRICTS, REGION, LABELS, unit, DISTRICTS, labels=dict(districts or {})),
        Field(LESIONS, REGION, LABELS, unit, LESIONS),
        Field(ORGANS, REGION, LABELS, unit, ORGANS, labels=dict(organs)),
    )
