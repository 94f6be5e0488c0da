"""The district maps of many cases: made, recorded and pictured, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ct2pet.dataset.plausibility import ct_problems
from ct2pet.districts.base import Segmenter
from ct2pet.districts.records import MapRecord, part_of_line, read_record, record_file, record_of, write_map
from ct2pet.districts.segment import segment_ct
from ct2pet.errors import ImageError
from ct2pet.files import remove_partial_files_of
from ct2pet.imageio import count_voxels, read_volume, strip_suffix
from ct2pet.parallel import CaseResults, map_cases
from ct2pet.resampling import resample
from ct2pet.volume import Volume

_PROCESS_GIB = 0.2


@dataclass(frozen=True)
class MapTask:
    """A CT and the file of its district map. ``make``: segment it; otherwise the map that is there is only pictured."""

    case: str
    ct: Path
    district_map: Path
    make: bool = True


def picture_file(district_map: Path) -> Path:
    """Where the picture of a map lies."""
    return district_map.with_name(f"{strip_suffix(district_map)}.segmenter.png")


def is_pictured(district_map: Path) -> bool:
    """Whether the picture of a map is there and not older than the map."""
    picture = picture_file(district_map)
    return picture.exists() and picture.stat().st_mtime_ns >= district_map.stat().st_mtime_ns


def segment_cases(
    segmenter: Segmenter,
    tasks: Iterable[MapTask],
    districts: Mapping[str, int],
    *,
    num_processes: int = 1,
    pictures: bool = False,
) -> CaseResults:
    """Write the maps of the ``tasks`` and, where asked for, their pictures; by case the record (None: the user's own
    map), or why there is none."""
    tasks = list(tasks)
    voxels = max((count_voxels(task.ct) for task in tasks), default=0)
    if segmenter.max_processes is not None:
        num_processes = min(num_processes, segmenter.max_processes)
    return map_cases(
        segment_case,
        {task.case: (segmenter, task, dict(districts), pictures) for task in tasks},
        num_processes=num_processes,
        memory_per_process_gib=_PROCESS_GIB + segmenter.memory_gib(voxels),
        description="Segmenting",
    )


def segment_case(segmenter: Segmenter, task: MapTask, districts: dict[str, int], picture: bool) -> MapRecord | None:
    """One case of ``segment_cases``."""
    ct = read_ct(task.ct)
    record: MapRecord | None
    if task.make:
        labels, record = make_map(segmenter, task.case, ct, task.district_map, districts)
    else:
        record = read_record(task.district_map)
        labels = resample(read_volume(task.district_map), ct.grid, labels=True)
    if picture:
        _draw(task, ct, labels, districts, record)
    return record


def make_map(
    segmenter: Segmenter, case: str, ct: Volume, district_map: Path, districts: Mapping[str, int]
) -> tuple[Volume, MapRecord]:
    """Segment a CT (HU) and write the map and its record."""
    for path in (district_map, record_file(district_map)):
        remove_partial_files_of(path)
    found = segment_ct(segmenter, case, ct, districts)
    record = record_of(found, segmenter.identity(case), districts)
    write_map(district_map, found.district_map, record)
    return found.district_map, record


def read_ct(path: Path) -> Volume:
    """The CT (HU) of a file, or of a folder of DICOM files. Raises ImageError where it cannot be read or is not in HU;
    a folder is not named, because it may be called like its patient."""
    try:
        ct = read_volume(path, unit="HU")
        problems = ct_problems(ct.array)
        if problems:
            raise ImageError(f"{path}: {problems[0]}")
    except ImageError as error:
        if path.is_dir():
            raise ImageError(str(error).removeprefix(f"{path}: ")) from None
        raise
    return ct


def _draw(task: MapTask, ct: Volume, labels: Volume, districts: dict[str, int], record: MapRecord | None) -> None:
    from ct2pet.districts.pictures import write_picture  # matplotlib takes long to import

    captions = {name: name if record is None else part_of_line(name, record) for name in districts}
    picture = picture_file(task.district_map)
    remove_partial_files_of(picture)
    write_picture(picture, ct, labels, districts, captions)
