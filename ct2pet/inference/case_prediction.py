"""From the image files of a case to the files of its predictions."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ct2pet.console import progress
from ct2pet.dataset import Fields
from ct2pet.dataset.fields import PET
from ct2pet.dataset.predictions import NOT_PREDICTED
from ct2pet.errors import Ct2PetError
from ct2pet.imageio import read_volume, write_volume
from ct2pet.inference.choice import Member
from ct2pet.inference.coverage import UncoveredDistricts, map_file, nothing_incomplete_of, without_model, write_map
from ct2pet.inference.dicom_output import DicomOutput
from ct2pet.inference.district_maps import BodyMaps, DistrictMaps, choose_maps
from ct2pet.inference.ensemble import Ensemble
from ct2pet.inference.input_files import Case, read_input
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.out_of_memory import reporting_out_of_memory
from ct2pet.inference.output_grids import OutputGrids
from ct2pet.inference.predictor import NoDistrictInGrid, Predictor, Volumes
from ct2pet.inference.read_ahead import ReadAhead, WriteBehind
from ct2pet.inference.volumes import WindowOptions
from ct2pet.parallel import map_cases
from ct2pet.volume import Volume

_LESS_MEMORY = "end other programs on this device, or predict with -device cpu"


def predictor_of(members: Sequence[Member], options: PredictionOptions, device: str) -> Ensemble:
    """The predictor of a case with the chosen models, on ``device``."""
    windows = WindowOptions(options.step_size, options.mirror, bfloat16=not options.float32)
    made = [
        Predictor(
            one.loaded.districts,
            one.loaded.plans.all_fields,
            blend_mm=one.loaded.plans.blend_mm if options.blend_mm is None else options.blend_mm,
            device=device,
            windows=windows,
        )
        for one in members
    ]
    return Ensemble(made[:-1], made[-1]) if members[-1].for_lesions else Ensemble(made)


@dataclass(frozen=True)
class CasePrediction:
    """Predicts one case after another and writes the results."""

    predictor: Ensemble
    fields: Fields
    maps: DistrictMaps | BodyMaps
    grids: OutputGrids
    dicom: DicomOutput
    uncovered: UncoveredDistricts
    require_all: bool

    @classmethod
    def of(
        cls, members: Sequence[Member], source: Path, cases: Sequence[Case], options: PredictionOptions, device: str
    ) -> CasePrediction:
        """The prediction of the ``cases`` in ``source`` with ``options``. Raises Ct2PetError without district maps and
        a segmenter that can make them, or where DICOM output needs a DICOM CT."""
        plans = members[0].loaded.plans
        fields = plans.all_fields
        dicom = DicomOutput(options.dicom, next((one.name for one in fields.targets if one.kind == PET), None))
        dicom.check(source, cases)
        return cls.with_maps(members, choose_maps(source, cases, plans, options), dicom, options, device)

    @classmethod
    def with_maps(
        cls,
        members: Sequence[Member],
        maps: DistrictMaps | BodyMaps,
        dicom: DicomOutput,
        options: PredictionOptions,
        device: str,
    ) -> CasePrediction:
        """As ``of``, of cases whose ``maps`` are chosen and whose ``dicom`` output is checked."""
        loaded = members[0].loaded
        how = " + ".join(_said(one) for one in members)
        return cls(
            predictor_of(members, options, device),
            loaded.plans.all_fields,
            maps,
            OutputGrids(loaded, options.grid, None if options.like is None else Path(options.like)),
            dicom.by(how),
            UncoveredDistricts(without_model(loaded.plans, loaded.districts)),
            options.require_all_districts,
        )

    def settings(self, options: PredictionOptions, cases: Sequence[Case]) -> dict[str, Any]:
        """The settings of the prediction, for prediction.json."""
        blends = list(dict.fromkeys(one.blend_mm for one in self.predictor.predictors))
        return {
            "step_size": options.step_size,
            "mirror": options.mirror,
            "float32": options.float32,
            "blend_mm": blends[0] if len(blends) == 1 else blends,
            "grid": "like" if options.like else options.grid,
            "districts_without_model": list(self.uncovered.labels),
            "segmenters": [asdict(identity) for identity in self.maps.identities(cases)],
        }

    def read(self, case: Case) -> dict[str, Volume]:
        """The inputs of an unfinished case; empty where only its DICOM series is missing."""
        return {} if case.is_done else {one.name: read_input(case.images[one.name], one) for one in self.fields.inputs}

    def predict(self, case: Case, inputs: Volumes, progress: Callable[[float], None]) -> Volumes:
        """The targets of a case from its inputs, which are emptied; empty without inputs. ``progress`` is called with
        shares of the work (sum 1)."""
        if not inputs:
            return {}
        district_map = self.maps.of(case, inputs)
        grid = self.grids.of(case.name, inputs[self.fields.inputs[0].name].grid)
        uncovered = self.uncovered.of(district_map, grid)
        if uncovered is not None and self.uncovered.are_all_of(district_map):
            names = ", ".join(self.uncovered.names_in(uncovered))
            raise Ct2PetError(
                f"it contains only {names}, without a trained model; train one, or predict with the model of the "
                "whole body (--fill_with_whole_body)"
            )
        with nothing_incomplete_of(case), reporting_out_of_memory(self.predictor.device, "prediction", _LESS_MEMORY):
            self._say_what_is_left_out(case, uncovered)
            try:
                return self.predictor.predict(inputs, district_map, grid, progress)
            except NoDistrictInGrid as error:
                image = "district map" if self.grids.like is None else "image --like"
                raise NoDistrictInGrid(f"{error}; check the {image}") from None

    def write(self, case: Case, found: Volumes) -> None:
        """Write the targets of a case, and its DICOM series where that is wanted."""
        with nothing_incomplete_of(case):
            for name, volume in found.items():
                write_volume(case.outputs[name], volume)
        path = map_file(case)
        left_out = self.uncovered.names_in(read_volume(path)) if path.exists() else []
        self.dicom.write(case, f"; not predicted: {', '.join(left_out)}" if left_out else "")

    def _say_what_is_left_out(self, case: Case, found: Volume | None) -> None:
        """Write where the case has districts without a model. Raises Ct2PetError where all districts are required."""
        names = [] if found is None else self.uncovered.names_in(found)
        if names and self.require_all:
            raise Ct2PetError(
                f"no trained model of {', '.join(names)}; train it or run without --require_all_districts"
            )
        write_map(case, found)
        if names:
            place = f"{NOT_PREDICTED}/{map_file(case).name}"
            print(
                f"warning: {case.name}: no trained model of {', '.join(names)}, not predicted (this is not an uptake "
                f"of 0); map: {place}",
                file=sys.stderr,
            )


@dataclass(frozen=True)
class Threads:
    """The number of cases that threads read ahead and write during the prediction; 0: none."""

    readers: int = 0
    writers: int = 0


def predict_cases(
    work: Sequence[Case], prediction: CasePrediction, num_done: int, threads: Threads | None = None
) -> None:
    """Predict the cases of ``work``, with a progress bar; ``num_done`` others are finished. Raises CasesFailed."""
    threads, by_name = threads or Threads(), {case.name: case for case in work}
    inputs = ReadAhead(list(by_name), lambda name: prediction.read(by_name[name]), threads.readers)
    outputs = WriteBehind(threads.writers)
    with progress("Predicting", len(work), "%") as bar:  # in shares of cases

        def one(case: Case) -> None:
            bar.notes = [case.name]
            found = prediction.predict(case, inputs.take(case.name), bar.advance)
            outputs.give(case.name, lambda: prediction.write(case, found))

        with contextlib.closing(inputs), contextlib.closing(outputs):
            results = map_cases(one, {case.name: (case,) for case in work})
            written = map_cases(lambda result: result(), {name: (call,) for name, call in outputs.pending.items()})
    results.values = {name: value for name, value in results.values.items() if name not in written.failures}
    results.failures |= written.failures
    results.tracebacks |= written.tracebacks
    results.raise_failures("could not be predicted", some_done=num_done > 0)


def _said(member: Member) -> str:
    """The description of a model in a DICOM series."""
    trained, role = member.trained, "lesions: " if member.for_lesions else ""
    return f"{role}model {trained.model}, plans {trained.plans_name}, dataset {trained.dataset_name}"
