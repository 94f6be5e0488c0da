"""District maps of CTs: the command ct2pet_segment_districts as a function, and the missing maps of other stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet.dataset import RawDataset, open_dataset
from ct2pet.dataset.fields import CT, DISTRICTS, Field
from ct2pet.dataset.raw import SPLITS
from ct2pet.districts import (
    DEFAULT_SEGMENTER,
    Segmenter,
    SegmenterIdentity,
    check_districts,
    make_segmenter,
    segmenter_labels,
)
from ct2pet.districts.maps import MapTask, is_pictured, picture_file, segment_cases
from ct2pet.districts.records import MapRecord, is_own, print_records, read_record
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import check_writable
from ct2pet.inference.input_files import find_images
from ct2pet.parallel import default_processes


@dataclass(frozen=True)
class SegmentationOptions:
    """``dataset``: a raw dataset whose CTs are segmented into districtsTr and districtsTs, in place of a source and a
    target. ``weights``: the folder of the weights, for segmenters that need them; ``districts``: the folder of existing
    maps, for the segmenter files. ``pictures``: a PNG next to each map. ``continue_segmentation``: keep the maps that
    this segmenter made."""

    dataset: str | int | None = None
    segmenter: str | None = None
    weights: str | Path | None = None
    districts: str | Path | None = None
    pictures: bool = False
    continue_segmentation: bool = False
    num_processes: int | None = None
    device: str | None = None


def segment_districts(
    source: str | Path | None = None,
    target: str | Path | None = None,
    options: SegmentationOptions | None = None,
    **changes: Any,
) -> list[Path]:
    """Segment the CTs of a folder (or one CT file), or all of a raw dataset; returns the maps' files.

    ``changes`` are SegmentationOptions by name. Maps and their records go to ``target``/CASE and CASE.segmenter.json,
    or into districtsTr and districtsTs. Maps of other segmenters and of the user are never replaced. Prints the
    segmenter's quality checks of each case.

    Raises CasesFailed, naming them, for CTs without a map, and other Ct2PetErrors before any work.
    """
    options = replace(options or SegmentationOptions(), **changes)
    dataset, segmenter, continue_segmentation = options.dataset, options.segmenter, options.continue_segmentation
    pictures, num_processes = options.pictures, options.num_processes
    given: dict[str, Any] = {"device": options.device, "weights": options.weights, "folder": options.districts}
    if dataset is not None:
        if source is not None or target is not None:
            raise DatasetError("give either -d, or -i and -o: the maps of a dataset are written into its own folders")
        raw = open_dataset(dataset)
        made_by = _segmenter_for(raw, segmenter or raw.description.segmenter or DEFAULT_SEGMENTER, given)
        labels, files = raw.districts, _of_dataset(raw, SPLITS)
    elif source is None or target is None:
        raise DatasetError("give the CTs and the folder of the maps (-i and -o), or a dataset (-d)")
    else:
        made_by = make_segmenter(segmenter or DEFAULT_SEGMENTER, **given)
        labels, files = segmenter_labels(made_by), _of_folder(Path(source), Path(target), continue_segmentation)
    check_districts(made_by, labels)
    tasks = [
        MapTask(case, ct, district_map, not _is_kept(made_by, case, district_map, labels, continue_segmentation))
        for case, (ct, district_map) in files.items()
    ]
    for folder in sorted({task.district_map.parent for task in tasks}):
        check_writable(folder)
    for task in tasks:
        if task.make:  # maps of other settings are never mixed with these
            task.district_map.unlink(missing_ok=True)
            picture_file(task.district_map).unlink(missing_ok=True)
    pictured = [task for task in tasks if pictures and not is_pictured(task.district_map)]
    work = [task for task in tasks if task.make or task in pictured]
    _run(made_by, work, [task for task in tasks if task not in work], labels, num_processes, pictures)
    return [district_map for _, district_map in files.values()]


def segment_missing(
    raw: RawDataset,
    *,
    split: str = "Tr",
    segmenter: str | None = None,
    weights: str | Path | None = None,
    num_processes: int | None = None,
    device: str | None = None,
) -> dict[str, MapRecord | None]:
    """Segment the cases of a raw dataset without a map, by default with the segmenter of the others; returns the record
    of every case's map (None: the user's own). Existing maps are not changed.

    Raises CasesFailed, naming them, for CTs without a map, and Ct2PetError where another segmenter made the existing
    maps.
    """
    files = _of_dataset(raw, (split,))
    done = {case: record for case, (_, path) in files.items() if (record := read_record(path)) is not None}
    first = next((record.segmenter.name for record in done.values()), None)
    name = segmenter or raw.description.segmenter or first or DEFAULT_SEGMENTER
    for case, record in done.items():
        _check_same_name(files[case][1], record.segmenter, name)
    tasks = [MapTask(case, *paths, make=case not in done and not is_own(paths[1])) for case, paths in files.items()]
    missing = [task for task in tasks if task.make]
    if missing:
        try:
            made_by = _segmenter_for(raw, name, {"device": device, "weights": weights})
            check_districts(made_by, raw.districts)
        except Ct2PetError as error:
            wanted = missing[0].district_map
            raise DatasetError(f"{wanted}: no such district map ({len(missing)} missing), and {error}") from None
        check_writable(missing[0].district_map.parent)
        done |= _run(made_by, missing, [task for task in tasks if not task.make], raw.districts, num_processes)
    return {case: done.get(case) for case in files}


def _run(
    segmenter: Segmenter,
    work: Sequence[MapTask],
    done: Sequence[MapTask],
    labels: Mapping[str, int],
    num_processes: int | None,
    pictures: bool = False,
) -> dict[str, MapRecord]:
    processes = num_processes or default_processes()
    results = segment_cases(segmenter, work, labels, num_processes=processes, pictures=pictures)
    records = {**{task.case: read_record(task.district_map) for task in done}, **results.values}
    found = {case: record for case, record in records.items() if record is not None}
    print_records(found)
    results.raise_failures("could not be segmented", some_done=bool(done))
    return found


def _of_folder(source: Path, target: Path, keep: bool) -> dict[str, tuple[Path, Path]]:
    if source.is_dir() and target.resolve() == source.resolve():
        raise DatasetError(f"{target}: the maps would be in the folder of the CTs; choose another -o")
    files = {found.name: (found.image, found.output) for found in find_images(source, target)}
    for _, district_map in files.values():
        if is_own(district_map) and not keep:
            raise Ct2PetError(
                f"{district_map}: would be replaced, but it was not written by a segmenter or was edited; choose "
                "another -o, remove it, or keep it with --continue_segmentation"
            )
    return files


def _of_dataset(raw: RawDataset, splits: Iterable[str]) -> dict[str, tuple[Path, Path]]:
    files: dict[str, tuple[Path, Path]] = {}
    ct = _ct_of(raw)
    for split in splits:
        for case in raw.cases(split):
            if case in files:
                raise DatasetError(
                    f"{raw.path(ct, case, split)}: a training case and a test case have this name; rename one"
                )
            files[case] = (raw.path(ct, case, split), raw.path(DISTRICTS, case, split))
    if not files:
        raise DatasetError(
            f"{raw.folder}: no CTs CASE{ct.suffix}{raw.file_ending} in images{' or images'.join(splits)}"
        )
    return files


def _segmenter_for(raw: RawDataset, name: str, options: Mapping[str, Any]) -> Segmenter:
    """The segmenter ``name``, its districts merged as in dataset.json where that names this segmenter."""
    merge = raw.description.segmenter_merge if name == raw.description.segmenter else None
    return make_segmenter(name, merge=merge, **options)


def _ct_of(raw: RawDataset) -> Field:
    """The input for segmenters. Raises DatasetError where there is no CT."""
    ct = next((one for one in raw.fields.inputs if one.kind == CT), None)
    if ct is None:
        raise DatasetError(f"{raw.folder}: segmenting districts needs a CT, and the dataset has no CT input")
    return ct


def _is_kept(segmenter: Segmenter, case: str, district_map: Path, labels: Mapping[str, int], keep: bool) -> bool:
    """Whether the existing map is kept. Raises Ct2PetError where it can be neither kept nor replaced."""
    if is_own(district_map):
        return True
    record, now = read_record(district_map), segmenter.identity(case)
    if record is None:
        return False
    _check_same_name(district_map, record.segmenter, now.name)
    if keep and record.segmenter != now:
        raise Ct2PetError(
            f"{district_map}: made by {record.segmenter} with other settings or another version than {now}; "
            "run without --continue_segmentation to make all maps again"
        )
    return keep and record.districts == dict(labels)


def _check_same_name(district_map: Path, made_by: SegmenterIdentity, name: str) -> None:
    if made_by.name != name:
        raise Ct2PetError(
            f"{district_map}: made by {made_by}, not by {name}; all maps must come from one segmenter: "
            f"use --segmenter {made_by.name}, or remove these maps"
        )
