"""The record beside a district map: what made it, how sure it was. A map without one is the user's own."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ct2pet.dataset.predictions import DISTRICT_MAPS
from ct2pet.districts.base import LOW_CONFIDENCE, Segmentation, SegmenterIdentity
from ct2pet.errors import Ct2PetError
from ct2pet.files import write_json
from ct2pet.imageio import image_files, strip_suffix, write_volume
from ct2pet.schema import read_as
from ct2pet.volume import Volume

OWN = SegmenterIdentity("files", "", {})  # made by the user, or corrected by hand


@dataclass(frozen=True)
class MapRecord:
    """The content of CASE.segmenter.json. ``found``: the districts that occur in the map; ``map_sha256``: of the
    map's file, empty while it is being written."""

    segmenter: SegmenterIdentity
    districts: dict[str, int]
    found: list[str]
    confidence: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    map_sha256: str = ""

    @property
    def low(self) -> list[str]:
        """The districts of low confidence."""
        return [name for name, value in self.confidence.items() if value < LOW_CONFIDENCE]

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should look at the map."""
        return bool(self.low or self.warnings)


def record_file(district_map: Path) -> Path:
    """Where the record of a map lies."""
    return district_map.with_name(f"{strip_suffix(district_map)}.segmenter.json")


def read_record(district_map: Path) -> MapRecord | None:
    """The record of a map; None where there is no map, no record of it, or the map was changed since."""
    if not district_map.is_file():
        return None
    record = _stored(district_map)
    return record if record is not None and record.map_sha256 == _digest(district_map) else None


def finished(district_map: Path, segmenter: SegmenterIdentity, districts: Mapping[str, int]) -> MapRecord | None:
    """The record of a map that is what this segmenter makes of these districts; None where it is not, or is missing."""
    record = read_record(district_map)
    same = record is not None and record.segmenter == segmenter and record.districts == dict(districts)
    return record if same else None


def is_own(district_map: Path) -> bool:
    """Whether there is a map that no segmenter wrote, or one that was changed since: it is never replaced."""
    if not district_map.is_file():
        return False
    record = _stored(district_map)
    return record is None or record.map_sha256 not in ("", _digest(district_map))


def maps_of_predictions(predictions: Path, districts: Mapping[str, int]) -> dict[str, Path]:
    """The finished maps that ct2pet_predict made for the predictions in a folder, by case; those of other districts
    are left out."""
    folder = predictions / DISTRICT_MAPS
    maps: dict[str, Path] = {}
    for case, path in image_files(folder).items() if folder.is_dir() else ():
        record = _stored(path)
        if record is not None and record.map_sha256 and record.districts == dict(districts):
            maps[case] = path
    return maps


def record_of(found: Segmentation, segmenter: SegmenterIdentity, districts: Mapping[str, int]) -> MapRecord:
    """What is to be recorded of a map that is not written yet."""
    labels: set[int] = set().union(*(np.unique(part).tolist() for part in found.district_map.array))
    return MapRecord(
        segmenter,
        dict(districts),
        [name for name, label in districts.items() if label in labels],
        {name: round(float(value), 3) for name, value in found.confidence.items()},
        list(found.warnings),
    )


def write_map(path: Path, district_map: Volume, record: MapRecord) -> None:
    """Write a map and its record. Wherever it is interrupted, no map is taken for the user's own, and none that is not
    whole for finished."""
    write_json(record_file(path), dataclasses.asdict(record))
    write_volume(path, district_map)
    record = dataclasses.replace(record, map_sha256=_digest(path))
    write_json(record_file(path), dataclasses.asdict(record))


def origin(district_map: Path) -> SegmenterIdentity:
    """What made a map; OWN where there is no record."""
    record = read_record(district_map)
    return OWN if record is None else record.segmenter


def origins(records: Iterable[MapRecord | None]) -> list[SegmenterIdentity]:
    """What made the maps of these records (None: a map without one), each once; what made the most comes first."""
    identities = [OWN if record is None else record.segmenter for record in records]
    made = [(json.dumps(dataclasses.asdict(one), sort_keys=True), one) for one in identities]
    counts = Counter(key for key, _ in made)
    return [one for _, one in sorted(dict(made).items(), key=lambda item: (-counts[item[0]], item[0]))]


def described(case: str, record: MapRecord) -> list[str]:
    """Lines for a person: the confidence in each district, and the warnings."""
    parts = [part_of_line(name, record) for name in record.districts]
    return [f"{case}: {', '.join(parts)}", *(f"    {warning}" for warning in record.warnings)]


def part_of_line(name: str, record: MapRecord) -> str:
    """The text for one district: its name, the confidence, whether it is low or the map has none of it."""
    confidence = record.confidence.get(name)
    value = "" if confidence is None else f" {confidence:.2f}"
    low = " (low)" if name in record.low else ""
    return f"{name}{value}{low}" if name in record.found else f"no {name}{value}{low}"


def print_records(records: Mapping[str, MapRecord]) -> None:
    """Print how sure the segmenters were, case by case, and at last the cases to look at."""
    for case, record in sorted(records.items()):
        print("\n".join(described(case, record)))
    doubtful = sorted(case for case, record in records.items() if record.is_doubtful)
    if doubtful:
        print(f"{len(doubtful)} of {len(records)} district maps need a look: {', '.join(doubtful)}")


def _stored(district_map: Path) -> MapRecord | None:
    try:
        return read_as(record_file(district_map), MapRecord)
    except Ct2PetError:
        return None


def _digest(district_map: Path) -> str:
    files = [district_map]
    if district_map.suffix.lower() == ".mhd":  # its voxels lie in a second file
        files += sorted(district_map.parent.glob(f"{glob.escape(district_map.stem)}.*raw"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
