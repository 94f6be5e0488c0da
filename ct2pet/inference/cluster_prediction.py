"""Cases predicted by the workers of a cluster, which load the networks themselves."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ct2pet.districts.records import MapRecord
from ct2pet.inference.case_prediction import CasePrediction
from ct2pet.inference.choice import chosen_members
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.district_maps import BodyMaps, DistrictMaps
from ct2pet.inference.input_files import Case
from ct2pet.inference.options import PredictionOptions
from ct2pet.parallel import map_cases
from ct2pet.paths import results_folder


@dataclass(frozen=True)
class PredictionRequest:
    """The data for the prediction of a case, small enough for transfer to other machines. ``choose_device``: from the
    user's choice to a device of the worker's machine."""

    options: PredictionOptions
    maps: DistrictMaps | BodyMaps
    dicom: DicomOutput
    choose_device: Callable[[str | None], str]
    results: str = field(default_factory=lambda: str(results_folder().absolute()))
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)

    def load(self) -> CasePrediction:
        """The prediction, with the networks on the device of this machine."""
        os.environ.update(ct2pet_results=self.results)  # a worker may have been started with another setting
        with chosen_members(self.options) as members:
            return CasePrediction.with_maps(
                members, self.maps, self.dicom, self.options, self.choose_device(self.options.device)
            )


_of_last_request: dict[str, CasePrediction] = {}


def predict_on_cluster(work: Sequence[Case], request: PredictionRequest, num_done: int) -> None:
    """Predict the cases of ``work``, and collect the records of their district maps in those of ``request``;
    ``num_done`` others are finished. Raises CasesFailed."""
    results = map_cases(predict_on_worker, {one.name: (request, one) for one in work}, description="Predicting")
    request.maps.records.update({case: record for case, record in results.values.items() if record is not None})
    results.raise_failures("could not be predicted", some_done=num_done > 0)


def predict_on_worker(request: PredictionRequest, case: Case) -> MapRecord | None:
    """Predict a case and write it; the record of its district map, if there is any. The networks stay in memory for the
    next case of the same request."""
    if request.identity not in _of_last_request:
        _of_last_request.clear()  # first, because two sets of networks may not fit
        _of_last_request[request.identity] = request.load()
    prediction = _of_last_request[request.identity]
    prediction.write(case, prediction.predict(case, prediction.read(case), lambda _: None))
    return prediction.maps.records.get(case.name)
