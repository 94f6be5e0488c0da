"""Shared by the converters: studies of two images (a CT or a low-dose PET, and a PET) to a raw dataset with new names.

Cases are NAME_0001 ..., patients P0001 ..., in an order independent of the names in the source. A second run converts
only missing cases. ``conversion/CASE.json`` is the record of each case (ct2pet.conversion.records).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.conversion.left_out import write_left_out
from ct2pet.conversion.patient_map import MapRow, check_private_place, write_map
from ct2pet.conversion.records import (
    RECORDS,
    Record,
    alone_in,
    begin_conversion,
    image_path,
    read_records,
    record_path,
    remove_case,
    restore_description,
    write_record,
)
from ct2pet.dataset.raw import read_table
from ct2pet.dataset.train_test_split import write_table
from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import CasesFailed, Ct2PetError, DatasetError, ImageError
from ct2pet.parallel import default_processes, map_cases

_COLUMNS = ("case", "patient", "diagnosis", "sex", "age")


@dataclass(frozen=True)
class Study:
    """``name`` and ``patient`` are the source's, and unique there. ``image``: the CT, or another input image for the
    PET (``target``). ``age`` is in years."""

    name: str
    patient: str
    image: Path
    target: Path
    lesions: Path | None = None
    diagnosis: str = ""
    sex: str = ""
    age: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """The content of a source. ``problems``: unused files, with reasons. ``notes``: remarks on the whole source."""

    studies: Sequence[Study]
    problems: Sequence[LeftOut] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """``names``: the case of every study in the dataset, by the study's name."""

    folder: Path
    names: Mapping[str, str]
    failures: Mapping[str, str]
    tracebacks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """The conversion of studies of one kind to cases.

    ``write_images(study, case, patient, folder)`` writes the images of a case and returns its record. ``memory_gib``:
    memory of one process for the largest study. ``write_description(folder, name=, num_training=,
    **citation)`` writes dataset.json. ``image``: the name of the study's image in messages. ``check``, of the studies
    by case: raises DatasetError before anything is written.
    """

    write_images: Callable[[Study, str, str, Path], Record]
    memory_gib: Callable[[Sequence[Study]], float]
    write_description: Callable[..., None]
    image: str
    check: Callable[[Mapping[str, Study]], None] | None = None


def convert_studies(
    folder: Path,
    source: Path,
    found: Found,
    *,
    recipe: Recipe,
    named: bool = True,
    num_processes: int | None = None,
    patient_map: Path | None = None,
    left_out: Path | None = None,
    citation: Mapping[str, str],
) -> Outcome:
    """Write the studies as the raw dataset ``folder`` (DatasetNNN_NAME).

    ``named``: failures contain the study's name in the source; off where this may be a patient's name. ``patient_map``
    and ``left_out`` are written as by ct2pet.conversion.convert_dicom; ``citation``: further keys of dataset.json.
    Failed studies are in the outcome, not raised. Raises DatasetError where there is nothing to convert or the folder
    was not made by a conversion.
    """
    for path, option in ((patient_map, "--patient_map"), (left_out, "--left_out")):
        if path is not None:
            check_private_place(path, folder, option)
    if left_out is not None:
        write_left_out(left_out, source, found.problems, {}, {})
    _check_can_begin(folder, source, found)
    with alone_in(folder):
        prefix, records = folder.name.split("_", 1)[1], read_records(folder)
        cases, patients = _number(found.studies, records, folder)
        if recipe.check is not None:
            recipe.check({cases[study.name]: study for study in found.studies})
        begin_conversion(folder, prefix, records)
        new = {cases[study.name]: study for study in found.studies if cases[study.name] not in records}
        results = map_cases(
            convert_study,
            {
                case: (recipe, study, case, patients[study.patient], folder, study.name if named else "")
                for case, study in sorted(new.items())
            },
            num_processes=num_processes or default_processes(),
            memory_per_process_gib=recipe.memory_gib(found.studies),
            description="Converting",
        )
        records = {**records, **results.values}
        if left_out is not None:
            places = {case: study.target for case, study in new.items()}
            write_left_out(left_out, source, found.problems, results.failures, places)
        if patient_map is not None:
            write_map(patient_map, [_map_row(study, cases, patients, source) for study in found.studies])
        if not records:
            raise CasesFailed(results.failures, some_done=False, what="could not be converted")
        _write_cases(folder, {cases[study.name]: study for study in found.studies}, records)
        num_training = sum(image_path(folder, "images", case).parent.name == "imagesTr" for case in records)
        if not restore_description(folder, num_training):
            recipe.write_description(folder, name=prefix, num_training=num_training, **citation)
        names = {study.name: cases[study.name] for study in found.studies if cases[study.name] in records}
        return Outcome(folder, names, results.failures, results.tracebacks)


def _check_can_begin(folder: Path, source: Path, found: Found) -> None:
    if not found.studies:
        raise DatasetError(f"{source}: no usable study; {len(found.problems)} unusable")
    if folder.exists() and any(folder.iterdir()) and not (folder / RECORDS).is_dir():
        raise DatasetError(f"{folder}: exists, but was not made by a conversion; remove it or choose another name")


def convert_study(recipe: Recipe, study: Study, case: str, patient: str, folder: Path, label: str) -> Record:
    """Write the images of a study and then its record. Raises ImageError; then no file of the case remains."""
    try:
        remove_case(folder, case)
        record = recipe.write_images(study, case, patient, folder)
        write_record(record_path(folder, case), record)
    except BaseException as error:
        remove_case(folder, case)
        if isinstance(error, (Ct2PetError, OSError)):
            raise ImageError(_without_paths(str(error), study, recipe.image, label)) from error
        raise
    return record


def _without_paths(message: str, study: Study, image: str, label: str) -> str:
    """The message with the roles of the study's files in place of their paths, which may contain patient names."""
    roles = {study.image: image, study.target: "PET", study.lesions: "lesions"}
    for path in sorted((path for path in roles if path is not None), key=lambda path: -len(str(path))):
        message = message.replace(str(path), roles[path])
    return f"{label}: {message}" if label else message


def study_digest(study: Study) -> str:
    """The source in a record: equal for the same study, without names."""
    return _digest(study.name)


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _number(
    studies: Sequence[Study], records: Mapping[str, Record], folder: Path
) -> tuple[dict[str, str], dict[str, str]]:
    """The case of each study and the number of each patient; those in the dataset keep theirs."""
    case_of = {record.source: case for case, record in records.items()}
    cases = {study.name: case_of[digest] for study in studies if (digest := _digest(study.name)) in case_of}
    patients = {study.patient: records[cases[study.name]].patient for study in studies if study.name in cases}
    strange = {*records} - {*cases.values()}
    if strange and len(cases) < len(studies):
        raise DatasetError(
            f"{folder}: {len(strange)} of its cases ({min(strange)}, ...) are not in this source, and new cases "
            "could be of their patients; give the whole source, or remove the dataset"
        )
    prefix = folder.name.split("_", 1)[1]
    free_cases, free_patients = _free(f"{prefix}_", {*records}), _free("P", {*patients.values()})
    for study in sorted(studies, key=lambda study: (_digest(study.patient), study.name)):
        if study.name not in cases:
            cases[study.name] = next(free_cases)
        if study.patient not in patients:
            patients[study.patient] = next(free_patients)
    return cases, patients


def _free(prefix: str, taken: set[str]) -> Any:
    return (name for name in (f"{prefix}{number:04d}" for number in count(1)) if name not in taken)


def _map_row(study: Study, cases: Mapping[str, str], patients: Mapping[str, str], source: Path) -> MapRow:
    place = study.target.parent
    where = str(place.relative_to(source)) if place.is_relative_to(source) else str(place)
    return MapRow(cases[study.name], patients[study.patient], study.patient, study.name, "", where)


def _write_cases(folder: Path, studies: Mapping[str, Study], records: Mapping[str, Record]) -> None:
    """cases.csv: rows and columns added by a user are kept."""
    path = folder / layout.CASES
    table: dict[str, dict[str, str]] = read_table(path) if path.is_file() else {}
    for case, record in records.items():
        own = {"case": case, "patient": record.patient, "sex": record.sex, "age": record.age}
        if case in studies:
            own["diagnosis"] = studies[case].diagnosis
        table[case] = {**own, **table.get(case, {})}
    write_table(path, table, _COLUMNS)
