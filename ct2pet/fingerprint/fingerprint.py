"""The fingerprint: properties of the data, per district; the only data that the planner uses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import PlansError
from ct2pet.files import write_json
from ct2pet.schema import read_as

SCHEMA_VERSION: Final = 2


@dataclass(frozen=True)
class DistrictFingerprint:
    """One district over all training cases in which it occurs.

    ``spacings`` (of the first target's grid) and ``box_sizes_mm`` are one Z, Y, X triple (mm) per case in ``cases``.
    ``percentiles``, by image whose normalization depends on the data: values (in the image's unit) over the voxels of
    the district, with equal weights of all cases; keys are the per cent ("0.5", "50", "99.5").
    """

    cases: list[str]
    spacings: list[list[float]]
    box_sizes_mm: list[list[float]]
    percentiles: dict[str, dict[str, float]]


@dataclass(frozen=True)
class LabelFingerprint:
    """One label of a label map: the number of cases that have it, and its median volume (ml) in these."""

    num_cases: int
    median_ml: float


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprint of a dataset: ``districts`` by name, ``whole_body`` (the union of all districts) among them.

    ``labels``: by label map among inputs and targets, and by label. ``classes``: by condition, how many training cases
    each class has. ``segmenters``: those of the district maps, that of most cases first; empty where unknown.
    """

    dataset_name: str
    districts: dict[str, DistrictFingerprint]
    labels: dict[str, dict[str, LabelFingerprint]] = field(default_factory=dict)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    segmenters: list[SegmenterIdentity] = field(default_factory=list)
    schema_version: Literal[2] = SCHEMA_VERSION

    def save(self, path: Path) -> None:
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> Fingerprint:
        """Read ``dataset_fingerprint.json``. Raises PlansError where it is damaged or of another version."""
        return read_as(path, cls, PlansError, "make it again with ct2pet_extract_fingerprint")
