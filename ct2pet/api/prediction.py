"""Prediction: the command ct2pet_predict as a function."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ct2pet.api.device import choose_device
from ct2pet.dataset import Fields
from ct2pet.districts.records import print_records
from ct2pet.errors import CasesFailed, Ct2PetError
from ct2pet.files import check_writable
from ct2pet.inference.case_prediction import CasePrediction, Threads, predict_cases
from ct2pet.inference.choice import Member, chosen_members
from ct2pet.inference.cluster_prediction import PredictionRequest, predict_on_cluster
from ct2pet.inference.input_files import Case, find_cases, part
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.record import PredictionRecord, provenance_of_members
from ct2pet.locks import folder_lock
from ct2pet.parallel.cluster import current_cluster
from ct2pet.provenance import device_name, this_run, without_path


def predict(
    source: str | Path, target: str | Path, options: PredictionOptions | None = None, **changes: Any
) -> list[Path]:
    """Predict the targets of the images of a folder (files, folders of DICOM files), or of one image; returns the
    predictions' files.

    ``changes`` are PredictionOptions by name, in place of those of ``options``. Writes the provenance to
    prediction.json next to the predictions; it is removed where every case failed. Raises CasesFailed, naming them, for
    cases that could not be predicted, and other Ct2PetErrors before any work.
    """
    options = replace(options or PredictionOptions(), **changes)
    with chosen_members(options) as members:
        return _predict(Path(source), Path(target), members, options)


def _predict(source: Path, target: Path, members: Sequence[Member], options: PredictionOptions) -> list[Path]:
    fields = members[0].loaded.plans.all_fields
    if not fields.inputs:
        raise Ct2PetError(f"{members[0].trained.model} synthesizes images without input images; use ct2pet_synthesize")
    patient_map = None if options.patient_map is None else Path(options.patient_map)
    all_cases = find_cases(source, target, fields, patient_map)
    cases = part(all_cases, options.num_parts, options.part_id)
    on_cluster = current_cluster() is not None
    device = "cpu" if on_cluster else choose_device(options.device)  # workers choose their own
    prediction = CasePrediction.of(members, source, all_cases, options, device)
    settings = prediction.settings(options, all_cases)
    threads = Threads(options.num_readers, options.num_writers)
    folder = all_cases[0].output.parent
    check_writable(folder)
    run = this_run(device="Dask workers" if on_cluster else device_name(str(prediction.predictor.device)))
    if any(case.image.is_dir() for case in all_cases):
        run = without_path(run, source)
    with _alone_in(folder, options):
        record = PredictionRecord.beside(target, cases, provenance_of_members(members, settings), run)
        work = record.begin(cases, options.continue_prediction, prediction.dicom, all_cases)
        try:
            with _pictures_of(cases, fields) if options.pictures else contextlib.nullcontext():
                if on_cluster:
                    request = PredictionRequest(options, prediction.maps, prediction.dicom, choose_device)
                    predict_on_cluster(work, request, len(cases) - len(work))
                else:
                    predict_cases(work, prediction, len(cases) - len(work), threads)
        finally:
            print_records(prediction.maps.records)
            if options.num_parts == 1:  # otherwise a process of another part may be using the record
                record.remove_if_unused(cases)
    return [path for case in cases for path in case.outputs.values()]


@contextlib.contextmanager
def _pictures_of(cases: Sequence[Case], fields: Fields) -> Iterator[None]:
    """After the block the predictions have pictures, also where other cases failed."""
    from ct2pet.inference.pictures import write_pictures  # imports matplotlib, which takes 0.5 s

    try:
        yield
    except CasesFailed:
        write_pictures(cases, fields)
        raise
    write_pictures(cases, fields)


def _alone_in(folder: Path, options: PredictionOptions) -> contextlib.AbstractContextManager[None]:
    """The lock of the predictions' folder, which processes that each predict a part of the cases share."""
    return folder_lock(folder, "a prediction") if options.num_parts == 1 else contextlib.nullcontext()
