"""The fingerprint: numbers seen in the data, per district. The planner looks at nothing else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dacite

from ct2pet.dataset.description import WHOLE_BODY as WHOLE_BODY
from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import Ct2PetError, PlansError
from ct2pet.files import read_json, write_json


@dataclass(frozen=True)
class DistrictFingerprint:
    """One district over all training cases in which it occurs.

    ``pet_spacings`` (mm) and ``box_sizes_mm`` are one Z, Y, X triple per case in ``cases``. ``ct_percentiles_hu`` and
    ``pet_percentiles_suv`` are taken over the voxels of the district, all cases counting alike; keys are the per cent
    ("0.5", "50", "99.5").
    """

    cases: list[str]
    pet_spacings: list[list[float]]
    box_sizes_mm: list[list[float]]
    volumes_ml: list[float]
    ct_percentiles_hu: dict[str, float]
    pet_percentiles_suv: dict[str, float]


@dataclass(frozen=True)
class Fingerprint:
    """What the extractor saw: ``districts`` by name, ``whole_body`` (the union of all districts) among them.

    ``segmenters``: what made the district maps, that of most cases first; empty where nobody wrote it down.
    """

    dataset_name: str
    num_cases: int
    ct_spacings: list[list[float]]
    districts: dict[str, DistrictFingerprint]
    schema_version: int = 1
    segmenters: list[SegmenterIdentity] = field(default_factory=list)

    def save(self, path: Path) -> None:
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> Fingerprint:
        """Read ``dataset_fingerprint.json``. Raises PlansError where it is damaged or of another version."""
        hooks: dict[Any, Any] = {float: lambda value: float(value) if isinstance(value, int) else value}
        try:
            return dacite.from_dict(cls, read_json(path), dacite.Config(strict=True, type_hooks=hooks))
        except (dacite.DaciteError, Ct2PetError, TypeError) as error:
            raise PlansError(f"{path}: {error}; make it again with ct2pet_extract_fingerprint") from None
