"""The prediction of one case: in the command's process, or in a worker of a cluster."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ct2pet.api.device import choose_device
from ct2pet.dataset import Fields
from ct2pet.dataset.predictions import NOT_PREDICTED
from ct2pet.districts.records import MapRecord
from ct2pet.errors import Ct2PetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.coverage import UncoveredDistricts, filled_with_whole_body, map_file, without_model, write_map
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.district_maps import BodyMaps, DistrictMaps
from ct2pet.inference.input_files import Case, read_input
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.out_of_memory import reporting_out_of_memory
from ct2pet.inference.output_grids import OutputGrids
from ct2pet.inference.predictor import Predictor
from ct2pet.inference.trained_models import LoadedModel, TrainedModel, load_trained
from ct2pet.inference.volumes import WindowOptions
from ct2pet.volume import Volume

_LESS_MEMORY = "end what else computes there, or predict with -device cpu"


def load_models(trained: TrainedModel, options: PredictionOptions) -> LoadedModel:
    """The networks that the options choose, on the CPU."""
    loaded = load_trained(trained, options.configurations, options.folds)
    if options.fill_with_whole_body:
        loaded = replace(loaded, districts=filled_with_whole_body(trained, loaded, options.folds))
    return loaded


@dataclass(frozen=True)
class CasePrediction:
    """From the image files of a case to its predictions' files."""

    predictor: Predictor
    fields: Fields
    maps: DistrictMaps | BodyMaps
    grids: OutputGrids
    dicom: DicomOutput
    uncovered: UncoveredDistricts
    require_all: bool

    def run(self, case: Case, progress: Callable[[float], object]) -> None:
        """Predict a case. ``progress`` is called with the share of the case that was done since."""
        if not case.is_done:
            self._predict(case, progress)
        path = map_file(case)
        left_out = self.uncovered.names_in(read_volume(path)) if path.exists() else []
        self.dicom.write(case, f"; not predicted: {', '.join(left_out)}" if left_out else "")

    def _predict(self, case: Case, progress: Callable[[float], object]) -> None:
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


@dataclass(frozen=True)
class PredictionRequest:
    """What the prediction of a case needs, small enough to be sent to other machines; they read the networks from the
    files of ``trained``."""

    trained: TrainedModel
    options: PredictionOptions
    maps: DistrictMaps | BodyMaps
    dicom: DicomOutput
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)

    def blend_mm(self, loaded: LoadedModel) -> float:
        """The width over which districts are blended."""
        return loaded.plans.blend_mm if self.options.blend_mm is None else self.options.blend_mm

    def device(self) -> torch.device:
        """Where this machine computes."""
        return choose_device(self.options.device)

    def prediction(self, loaded: LoadedModel) -> CasePrediction:
        """The prediction with the networks ``loaded``, on the device of this machine."""
        options, fields = self.options, loaded.plans.all_fields
        windows = WindowOptions(options.step_size, options.mirror, bfloat16=not options.float32)
        return CasePrediction(
            Predictor(loaded.districts, fields, blend_mm=self.blend_mm(loaded), device=self.device(), windows=windows),
            fields,
            self.maps,
            OutputGrids(loaded, options.grid, None if options.like is None else Path(options.like)),
            self.dicom.by(f"model {self.trained.model}, plans {self.trained.plans_name}"),
            UncoveredDistricts(without_model(loaded.plans, loaded.districts)),
            options.require_all_districts,
        )


_of_last_request: dict[str, CasePrediction] = {}


def predict_on_worker(request: PredictionRequest, case: Case) -> MapRecord | None:
    """Predict a case; the record of its district map, if there is any. The networks stay in memory for the next case
    of the same request."""
    if request.identity not in _of_last_request:
        _of_last_request.clear()  # first: two sets of networks may not fit
        _of_last_request[request.identity] = request.prediction(load_models(request.trained, request.options))
    prediction = _of_last_request[request.identity]
    prediction.run(case, lambda _: None)
    return prediction.maps.records.get(case.name)
