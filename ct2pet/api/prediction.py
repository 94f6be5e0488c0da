"""Prediction, as the command ct2pet_predict does it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet.api.device import choose_device
from ct2pet.console import progress
from ct2pet.dataset import Fields
from ct2pet.dataset.fields import PET
from ct2pet.dataset.predictions import NOT_PREDICTED
from ct2pet.districts.records import print_records
from ct2pet.errors import Ct2PetError
from ct2pet.files import check_writable
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.coverage import (
    UncoveredDistricts,
    filled_with_whole_body,
    map_file,
    without_model,
    write_map,
)
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.district_maps import BodyMaps, DistrictMaps, choose_maps
from ct2pet.inference.input_files import Case, find_cases, part, read_input
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.out_of_memory import reporting_out_of_memory
from ct2pet.inference.output_grids import OutputGrids
from ct2pet.inference.predictor import Predictor
from ct2pet.inference.record import PredictionRecord, provenance
from ct2pet.inference.trained_models import choose, find_trained, load_trained
from ct2pet.inference.volumes import WindowOptions
from ct2pet.locks import folder_lock
from ct2pet.parallel import map_cases
from ct2pet.paths import results_folder
from ct2pet.provenance import device_name, this_run, without_path
from ct2pet.volume import Volume

_LESS_MEMORY = "end what else computes there, or predict with -device cpu"


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
    loaded = load_trained(trained, options.configurations, options.folds)
    fields = loaded.plans.all_fields
    if not fields.inputs:
        raise Ct2PetError(f"{trained.model} makes images without input images: use ct2pet_synthesize")
    all_cases = find_cases(source, target, fields)
    dicom = DicomOutput(options.dicom, next((one.name for one in fields.targets if one.kind == PET), None))
    dicom.check(source, all_cases)
    cases = part(all_cases, options.num_parts, options.part_id)
    maps = choose_maps(source, all_cases, loaded.plans, options)
    if options.fill_with_whole_body:
        loaded = replace(loaded, districts=filled_with_whole_body(trained, loaded, options.folds))
    uncovered = UncoveredDistricts(without_model(loaded.plans, loaded.districts))
    blend_mm = loaded.plans.blend_mm if options.blend_mm is None else options.blend_mm
    windows = WindowOptions(options.step_size, options.mirror, bfloat16=not options.float32)
    device = choose_device(options.device)
    predictor = Predictor(loaded.districts, fields, blend_mm=blend_mm, device=device, windows=windows)
    settings = {
        "step_size": options.step_size,
        "mirror": options.mirror,
        "float32": options.float32,
        "blend_mm": blend_mm,
        "grid": "like" if options.like else options.grid,
        "districts_without_model": list(uncovered.labels),
        "segmenters": [asdict(identity) for identity in maps.identities(all_cases)],
    }
    check_writable(all_cases[0].output.parent)
    run = this_run(device=device_name(str(predictor.device)))
    if any(case.image.is_dir() for case in all_cases):
        run = without_path(run, source)
    with _alone_in(all_cases[0].output.parent, options):
        content = provenance(trained, loaded, options.folds, settings)
        record = PredictionRecord.beside(target, cases, content, run)
        work = record.begin(cases, options.continue_prediction, dicom)
        grids = OutputGrids(loaded, options.grid, None if options.like is None else Path(options.like))
        dicom = dicom.by(f"model {trained.model}, plans {trained.plans_name}")
        try:
            _predict_cases(
                work,
                _CasePrediction(predictor, fields, maps, grids, dicom, uncovered, options.require_all_districts),
                len(cases) - len(work),
            )
        finally:
            print_records(maps.records)
    return [path for case in cases for path in case.outputs.values()]


def _alone_in(folder: Path, options: PredictionOptions) -> contextlib.AbstractContextManager[None]:
    """The lock of the predictions' folder, which processes with a share of the cases each have in common."""
    return folder_lock(folder, "a prediction") if options.num_parts == 1 else contextlib.nullcontext()


@dataclass(frozen=True)
class _CasePrediction:
    """From the image files of a case to its predictions' files."""

    predictor: Predictor
    fields: Fields
    maps: DistrictMaps | BodyMaps
    grids: OutputGrids
    dicom: DicomOutput
    uncovered: UncoveredDistricts
    require_all: bool

    def run(self, case: Case, progress: Callable[[float], None]) -> None:
        if not case.is_done:
            self._predict(case, progress)
        path = map_file(case)
        left_out = self.uncovered.names_in(read_volume(path)) if path.exists() else []
        self.dicom.write(case, f"; not predicted: {', '.join(left_out)}" if left_out else "")

    def _predict(self, case: Case, progress: Callable[[float], None]) -> None:
        inputs = {one.name: read_input(case.images[one.name], one) for one in self.fields.inputs}
        district_map = self.maps.of(case, inputs)
        grid = self.grids.of(case.name, inputs[self.fields.inputs[0].name].grid)
        self._say_what_is_left_out(case, self.uncovered.of(district_map, grid))
        with reporting_out_of_memory(self.predictor.device, "prediction", _LESS_MEMORY):
            found = self.predictor.predict(inputs, district_map, grid, progress)
        for name, volume in found.items():
            write_volume(case.outputs[name], volume)

    def _say_what_is_left_out(self, case: Case, found: Volume | None) -> None:
        """Write where the case has districts without a model. Raises Ct2PetError where all districts are required."""
        names = [] if found is None else self.uncovered.names_in(found)
        if names and self.require_all:
            raise Ct2PetError(f"no model of {', '.join(names)} is trained; leave out --require_all_districts")
        write_map(case, found)
        if names:
            place = f"{NOT_PREDICTED}/{map_file(case).name}"
            print(
                f"warning: {case.name}: {', '.join(names)} has no trained model and is not predicted, which is not an "
                f"uptake of 0; {place} shows where",
                file=sys.stderr,
            )


def _predict_cases(work: Sequence[Case], prediction: _CasePrediction, num_done: int) -> None:
    with progress("Predicting", len(work), "%") as bar:  # in shares of cases

        def one(case: Case) -> None:
            bar.notes = [case.name]
            prediction.run(case, bar.advance)

        results = map_cases(one, {case.name: (case,) for case in work})
    results.raise_failures("could not be predicted", some_done=num_done > 0)
