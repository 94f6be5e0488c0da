"""A folder tree of DICOM studies to ``$ct2pet_raw/DatasetNNN_NAME``."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ct2pet import layout
from ct2pet.conversion.exam import convert_exam
from ct2pet.conversion.existing import read_existing
from ct2pet.conversion.left_out import check_replaceable, group_left_out, write_left_out
from ct2pet.conversion.numbering import Named, name_exams
from ct2pet.conversion.patient_map import MapRow, check_private_place, read_map, write_map
from ct2pet.conversion.records import (
    FILE_ENDING,
    RECORDS,
    Record,
    alone_in,
    begin_conversion,
    has_images,
    image_path,
    restore_description,
)
from ct2pet.conversion.supplied_values import check_all_used, row_of
from ct2pet.dataset import check_case_name, write_dataset_json
from ct2pet.dataset.raw import read_table
from ct2pet.dicom.examinations import pair
from ct2pet.dicom.pairing import Exam
from ct2pet.dicom.reading import discreet
from ct2pet.dicom.structures import unused_structures
from ct2pet.dicom.tree import LeftOut, scan_tree
from ct2pet.errors import CasesFailed, DatasetError
from ct2pet.files import atomic_path
from ct2pet.outputs import check_output_folder
from ct2pet.parallel import CaseResults, default_processes, map_cases
from ct2pet.paths import raw_folder
from ct2pet.suv import Supplied, SuppliedTable, read_supplied

DISTRICTS = {"head": 1, "trunk": 2, "arms": 3, "legs": 4}
_COLUMNS = ("case", "patient", "diagnosis", "sex", "age")
_DATASET = re.compile(r"Dataset(\d{3,})_(.+)")
_PROCESS_GIB = 0.4
_BYTES_PER_VOXEL = 6  # of the largest series: its values and those of one slice, or a second try in float32


@dataclass(frozen=True)
class Conversion:
    """The result of a run: new (or replaced), existing and failed cases, and unused files. ``chosen``: the series of a
    new case, and the source of its SUV. ``incomplete``: new and old cases whose series may lack slices at an end, with
    the reason."""

    dataset: Path
    new: tuple[str, ...]
    old: tuple[str, ...]
    failures: Mapping[str, str]
    tracebacks: Mapping[str, str]
    left_out: tuple[LeftOut, ...]
    notes: Mapping[str, Sequence[str]]
    chosen: Mapping[str, str]
    incomplete: Mapping[str, str] = field(default_factory=dict)


def convert_dicom(
    source: str | Path,
    dataset_id: int,
    name: str,
    *,
    num_processes: int | None = None,
    weights_csv: str | Path | None = None,
    patient_map: str | Path | None = None,
    left_out: str | Path | None = None,
    lesion_rois: str | None = None,
) -> Conversion:
    """Convert every PET with its CT below ``source``. Started again, it converts the missing cases.

    ``weights_csv``: values that headers lack (see ct2pet.suv.read_supplied). ``patient_map``: file to write with the
    patient of each case; ``left_out``: file to write with unused files and series. ``lesion_rois``: the regions that
    are lesions (see ct2pet.dicom.contours). dataset.json is written last: without it the folder is not a dataset.
    Failed cases are in the result, not raised.

    Raises DatasetError where there is nothing to convert, or where the dataset cannot be extended, and Ct2PetError
    where another process converts into this dataset.
    """
    folder, source = dataset_folder(dataset_id, name), Path(source)
    check_output_folder(folder)
    map_path = _private(patient_map, folder, "--patient_map")
    list_path = _private(left_out, folder, "--left_out")
    if list_path is not None:
        check_replaceable(list_path)
    _known(map_path, name)
    table = read_supplied(weights_csv) if weights_csv is not None else SuppliedTable(Path())
    _check_ours(folder)
    exams, unused = _find(source, list_path)
    with alone_in(folder):
        existing, known = read_existing(folder, name), _known(map_path, name)
        named = name_exams(exams, name, existing, known)
        earlier = {*existing.records, *existing.patients, *(row.case for row in known)}
        try:
            begin_conversion(folder, name, _kept(folder, earlier, named))
            results = map_cases(
                convert_exam,
                _arguments(named, folder, _supplied(named, table), lesion_rois),
                num_processes=num_processes or default_processes(),
                memory_per_process_gib=_memory_gib(exams),
                description="Converting",
            )
            records = {**existing.finished, **results.values}
            unused += _unused_structures(named, records)
            cases = {*records, *(case for case in earlier if has_images(folder, case))}
            _finish(folder, name, cases, records, [*known, *_map_rows(named, records, source)], map_path)
            if list_path is not None:
                folders = {item.case: item.exam.pet.series.folder for item in named}
                write_left_out(list_path, source, unused, results.failures, folders)
        except OSError as error:
            raise DatasetError(f"{folder}: cannot be written ({error.strerror or error}); run it again") from error
        return _conversion(folder, named, records, results, unused)


def _conversion(
    folder: Path,
    named: Sequence[Named],
    records: Mapping[str, Record],
    results: CaseResults,
    unused: Sequence[LeftOut],
) -> Conversion:
    """``records``: of all cases of the dataset; ``results``: those of this run."""
    return Conversion(
        folder,
        new=tuple(results.values),
        old=tuple(item.case for item in named if item.done),
        failures=results.failures,
        tracebacks=results.tracebacks,
        left_out=tuple(unused),
        notes={case: record.notes for case, record in results.values.items() if record.notes},
        chosen={case: record.choice for case, record in results.values.items()},
        incomplete={
            item.case: "; ".join(item.exam.incomplete)
            for item in named
            if item.case in records and item.exam.incomplete
        },
    )


def _find(source: Path, list_path: Path | None) -> tuple[list[Exam], list[LeftOut]]:
    """The examinations below ``source``, and unused files, which are written to ``list_path``. Raises DatasetError
    without examinations."""
    with discreet():
        tree = scan_tree(source, progress=True)
        exams, series_left_out = pair(tree)
    unused = [*tree.left_out, *series_left_out]
    if list_path is not None:
        write_left_out(list_path, source, unused, {}, {})
    if not exams:
        raise DatasetError(f"{source}: no PET with its CT in {tree.num_files} files; {_summary(unused)}")
    return exams, unused


def raise_failures(conversion: Conversion) -> None:
    """Raise CasesFailed where cases failed."""
    if conversion.failures:
        raise CasesFailed(
            dict(conversion.failures),
            some_done=bool(conversion.new or conversion.old),
            what="could not be converted",
            tracebacks=dict(conversion.tracebacks),
        )


def raise_incomplete(conversion: Conversion) -> None:
    """Raise CasesFailed where cases may lack slices at the end of a series. They are in the dataset."""
    if conversion.incomplete:
        raise CasesFailed(dict(conversion.incomplete), some_done=True, what="may be incomplete; restore their files")


def _unused_structures(named: Iterable[Named], records: Mapping[str, Record]) -> list[LeftOut]:
    """The unused structure objects of finished cases, of this run and earlier ones."""
    found = [item for item in named if item.case in records]
    return [unused for item in found for unused in unused_structures(item.exam.structures, records[item.case].notes)]


def _summary(left_out: Sequence[LeftOut]) -> str:
    return "; ".join(f"{number} x {reason}" for reason, number in group_left_out(left_out)[:4]) or "nothing left out"


def dataset_folder(dataset_id: int, name: str) -> Path:
    """The folder DatasetNNN_NAME in the raw folder. Raises DatasetError where another dataset has the number."""
    check_case_name(name)
    root = raw_folder()
    own = f"Dataset{dataset_id:03d}_{name}"
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        match = _DATASET.fullmatch(entry.name)
        if match and int(match[1]) == dataset_id and entry.name != own:
            raise DatasetError(f"{entry}: already has the number {dataset_id}; choose another -d, or -n {match[2]}")
    return root / own


def _private(path: str | Path | None, folder: Path, option: str) -> Path | None:
    if path is not None:
        check_private_place(Path(path), folder, option)
    return None if path is None else Path(path)


def _known(map_path: Path | None, name: str) -> list[MapRow]:
    rows = read_map(map_path) if map_path is not None else []
    for row in rows:
        if not row.case.startswith(f"{name}_"):
            raise DatasetError(f"{map_path}: is the map of another dataset ({row.case}); choose another --patient_map")
    return rows


def _check_ours(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / RECORDS).is_dir():
        raise DatasetError(f"{folder}: exists, but was not made by ct2pet_convert_dicom; choose another -d and -n")


def _supplied(named: Iterable[Named], table: SuppliedTable) -> dict[str, Supplied]:
    rows = {item.case: row_of(table, item.exam.pet.first, item.exam.pet.series.time, item.case) for item in named}
    check_all_used(table, rows.values())
    return {case: row.values for case, row in rows.items() if row is not None}


def _kept(folder: Path, earlier: Collection[str], named: Iterable[Named]) -> set[str]:
    """Cases of earlier runs that are complete, or will be replaced: their place gives the split."""
    return {case for case in earlier if has_images(folder, case)} | {item.case for item in named} & {*earlier}


def _arguments(
    named: Iterable[Named], folder: Path, supplied: Mapping[str, Supplied], lesion_rois: str | None
) -> dict[str, tuple]:
    return {
        item.case: (
            *(item.exam, item.case, item.patient, folder),
            *(supplied.get(item.case), lesion_rois),
        )
        for item in named
        if not item.done
    }


def _memory_gib(exams: Iterable[Exam]) -> float:
    voxels = max(math.prod(placed.stack.grid.shape) for exam in exams for placed in (exam.pet, exam.ct))
    return _PROCESS_GIB + voxels * _BYTES_PER_VOXEL / 2**30


def _map_rows(named: Iterable[Named], records: Mapping[str, Record], source: Path) -> list[MapRow]:
    rows = []
    for item in named:
        if item.case in records:
            place, time = item.exam.pet.series.folder, item.exam.pet.series.time
            date = f"{time:%Y-%m-%d}" if time else ""
            where = str(place.relative_to(source)) if place.is_relative_to(source) else str(place)
            rows.append(MapRow(item.case, item.patient, item.exam.patient, item.exam.study, date, where))
    return rows


def _finish(
    folder: Path,
    name: str,
    cases: Collection[str],
    records: Mapping[str, Record],
    rows: Sequence[MapRow],
    map_path: Path | None,
) -> None:
    """The tables and dataset.json; nothing without cases. ``records``: of all but cases of which a user removed it."""
    if not cases:
        return
    if map_path is not None:
        write_map(map_path, {row.case: row for row in rows}.values())
    _write_table(folder / layout.CASES, records)
    num_training = sum(image_path(folder, "images", case).parent.name == "imagesTr" for case in cases)
    if not restore_description(folder, num_training):
        write_dataset_json(
            folder, name=name, districts=DISTRICTS, num_training=num_training, file_ending=FILE_ENDING, source="DICOM"
        )


def _write_table(path: Path, records: Mapping[str, Record]) -> None:
    """cases.csv: rows and columns added by a user are kept."""
    table = read_table(path) if path.is_file() else {}
    for case, record in records.items():
        own = {"case": case, "patient": record.patient, "sex": record.sex, "age": record.age}
        table[case] = {**own, **table.get(case, {})}
    columns = list(dict.fromkeys([*_COLUMNS, *(column for row in table.values() for column in row)]))
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(table.items()))
