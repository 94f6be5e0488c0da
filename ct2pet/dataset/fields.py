"""The fields of a case: each has a name, a role and a kind.

Stages select fields by role, not by name, and take the rules for their values from ``KINDS``.
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
DISTRICTS, LESIONS, ORGANS = "districts", "lesions", "organs"  # regions in which errors are measured
MASK = "mask"  # name of the district's mask in a batch, next to the fields


@dataclass(frozen=True)
class Kind:
    """The rules of all stages for a kind of image.

    ``unit``; ``outside``: the value beyond the image, in this unit; ``interpolation``: ``linear`` or ``nearest``;
    ``normalization``: the planner's rule (``percentile_window``, ``suv_window``, or empty: labels are not normalised);
    ``storage``: the type of stored voxels; ``metrics``: the metrics of the evaluation (``suv``, ``overlap``, or empty:
    none); ``merge``: how overlapping windows become one volume (``mean`` of the values, or the label of the highest
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

    ``role``: ``input``, ``target``, ``region`` (to measure errors in) or ``condition``. ``kind``: a key of KINDS, or
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
        """The rules of its kind."""
        return KINDS[self.kind]

    def problems(self, array: np.ndarray) -> list[str]:
        """Signs that an array (Z, Y, X) does not contain this field, each as a sentence."""
        if self.rules.problems is not None:
            return number_problems(array) or self.rules.problems(array)
        known = self.labels.values() or None
        return number_problems(array) or label_problems(array, known, needs_one=self.name == DISTRICTS)

    @property
    def num_channels(self) -> int:
        """The number of network output channels: one per label and one for the background, or one."""
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
        """The same fields with other inputs, for a stage that uses predictions of an earlier one."""
        others = [one for one in self.everything if one.role != INPUT]
        return Fields((*(replace(one, role=INPUT) for one in inputs), *others))

    def to_json(self) -> list[dict[str, Any]]:
        """For plans: inputs, targets and conditions (regions belong to the dataset only)."""
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
    """The label maps in which errors are measured; optional in every dataset."""
    unit = KINDS[LABELS].unit
    return (
        Field(DISTRICTS, REGION, LABELS, unit, DISTRICTS, labels=dict(districts or {})),
        Field(LESIONS, REGION, LABELS, unit, LESIONS),
        Field(ORGANS, REGION, LABELS, unit, ORGANS, labels=dict(organs)),
    )
