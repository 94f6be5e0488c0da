"""Prediction, as the command ct2pet_predict does it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ct2pet.api.case_prediction import PredictionRequest, load_models, predict_on_worker
from ct2pet.dataset.fields import PET
from ct2pet.districts.records import MapRecord, print_records
from ct2pet.errors import Ct2PetError
from ct2pet.files import check_writable
from ct2pet.inference.coverage import without_model
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.district_maps import choose_maps
from ct2pet.inference.input_files import Case, find_cases, part
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.record import PredictionRecord, provenance
from ct2pet.inference.trained_models import LoadedModel, choose, find_trained
from ct2pet.locks import folder_lock
from ct2pet.parallel import CaseResults, map_cases
from ct2pet.parallel.cluster import current_cluster
from ct2pet.paths import results_folder
from ct2pet.provenance import device_name, this_run, without_path


def predict(
    source: str | Path, target: str | Path, options: PredictionOptions | None = None, **changes: Any
) -> list[Path]:
    """Predict the targets of the images of a folder (files, folders of DICOM files), or of one image; returns the
    predictions' files.

    ``changes`` are PredictionOptions by name, in place of those of ``options``. Writes what was used into
    prediction.json beside the predictions. Raises CasesFailed, naming them, for cases that could not be predicted, and
    other Ct2PetErrors before any work.
    """
    options = replace(options or PredictionOptions(), **changes)
    source, target = Path(source), Path(target)
    trained = choose(
        find_trained(results_folder(), options.checkpoint), options.dataset, options.model, options.plans_name
    )
    loaded = load_models(trained, options)
    fields = loaded.plans.all_fields
    if not fields.inputs:
        raise Ct2PetError(f"{trained.model} makes images without input images: use ct2pet_synthesize")
    all_cases = find_cases(source, target, fields)
    dicom = DicomOutput(options.dicom, next((one.name for one in fields.targets if one.kind == PET), None))
    dicom.check(source, all_cases)
    cases = part(all_cases, options.num_parts, options.part_id)
    maps = choose_maps(source, all_cases, loaded.plans, options)
    request = PredictionRequest(trained, options, maps, dicom)
    not_predicted = without_model(loaded.plans, loaded.districts)
    device = _device(request)
    settings = {
        "step_size": options.step_size,
        "mirror": options.mirror,
        "float32": options.float32,
        "blend_mm": request.blend_mm(loaded),
        "grid": "like" if options.like else options.grid,
        "districts_without_model": list(not_predicted),
        "segmenters": [asdict(identity) for identity in maps.identities(all_cases)],
    }
    check_writable(all_cases[0].output.parent)
    run = this_run(device=device)
    if any(case.image.is_dir() for case in all_cases):
        run = without_path(run, source)
    with _alone_in(all_cases[0].output.parent, options):
        content = provenance(trained, loaded, options.folds, settings)
        record = PredictionRecord.beside(target, cases, content, run)
        work = record.begin(cases, options.continue_prediction, dicom)
        records = maps.records
        try:
            results, records = _predict_cases(request, loaded, work)
        finally:
            print_records(records)
        results.raise_failures("could not be predicted", some_done=len(work) < len(cases))
    return [path for case in cases for path in case.outputs.values()]


def _device(request: PredictionRequest) -> str:
    """Where is computed, in words; on a cluster each worker chooses unless the user does."""
    if current_cluster() is None:
        return device_name(str(request.device()))
    return f"Dask workers ({request.options.device or 'cuda where there is one, else cpu'})"


def _alone_in(folder: Path, options: PredictionOptions) -> contextlib.AbstractContextManager[None]:
    """The lock of the predictions' folder, which processes with a share of the cases each have in common."""
    return folder_lock(folder, "a prediction") if options.num_parts == 1 else contextlib.nullcontext()


def _predict_cases(
    request: PredictionRequest, loaded: LoadedModel, work: Sequence[Case]
) -> tuple[CaseResults, Mapping[str, MapRecord]]:
    """What became of each case, and the records of the district maps."""
    if current_cluster() is not None:
        results = map_cases(predict_on_worker, {case.name: (request, case) for case in work}, description="Predicting")
        return results, {case: record for case, record in results.values.items() if record is not None}
    prediction = request.prediction(loaded)
    form = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"  # shares of cases are no nice numbers
    with tqdm(total=len(work), desc="Predicting", bar_format=form, disable=not work) as bar:

        def one(case: Case) -> None:
            bar.set_postfix_str(case.name)
            prediction.run(case, lambda share: bar.update(min(share, len(work) - bar.n)))  # rounded shares may exceed 1

        return map_cases(one, {case.name: (case,) for case in work}), request.maps.records
