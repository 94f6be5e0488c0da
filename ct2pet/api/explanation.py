"""What predictions depend on: the command ct2pet_explain as a function."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.api.device import choose_device
from ct2pet.console import progress
from ct2pet.dataset import Fields
from ct2pet.dataset.fields import DISTRICTS, LESIONS, ORGANS
from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import atomic_path, check_writable, read_json
from ct2pet.imageio import image_files, read_volume, write_volume
from ct2pet.inference.case_prediction import predictor_of
from ct2pet.inference.choice import Member, chosen_members
from ct2pet.inference.district_maps import BodyMaps, DistrictMaps, choose_maps
from ct2pet.inference.ensemble import Ensemble
from ct2pet.inference.input_files import Case, find_cases, read_input
from ct2pet.inference.occlusion import AROUND_MM, REPLACE, Occlusion, RegionEffect
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.output_grids import OutputGrids
from ct2pet.inference.reprediction import Reprediction
from ct2pet.inference.volumes import Progress
from ct2pet.parallel import map_cases
from ct2pet.resampling import resample
from ct2pet.schema import parse_as

TABLE = "occlusion.csv"
_BASE_REGIONS = 8  # the prediction of the image as it is takes about as long as so many regions
_KEYS = {DISTRICTS: DISTRICTS, LESIONS: "lesion_groups"}  # of dataset.json, by folder of label maps; else the organs
_OF_A_DATASET = ("channel_names", ORGANS)
_COLUMNS = (
    *("case", "region", "volume [ml]", "mean [SUV]", "mean with it hidden [SUV]"),
    *("mean absolute change inside [SUV]", f"mean absolute change within {AROUND_MM:g} mm around [SUV]"),
)


def explain(
    source: str | Path,
    regions: str | Path,
    target: str | Path,
    options: PredictionOptions | None = None,
    *,
    names: str | Path | None = None,
    hide: str = REPLACE,
    **changes: Any,
) -> Path:
    """Hide every region of the input images (the first input) in turn and compare the predictions of the first target,
    with the models chosen by ``options``; returns the path of the table.

    ``regions``: a folder of label maps, CASE.nii.gz. ``names``: a JSON file with the names of the labels: name to
    label, or a dataset.json (its districts for a folder districtsTs, its lesion_groups for lesionsTs, else its organs).
    ``hide``: see Occlusion. ``changes`` are PredictionOptions by name; the networks compute in float32 in any case.
    Writes CASE_change.nii.gz, on the grid of ct2pet_predict, and the table, case by case, into ``target``. Raises
    CasesFailed, naming them, for cases that could not be explained, and other
    Ct2PetErrors before any work.
    """
    options, source, target = replace(options or PredictionOptions(), **changes), Path(source), Path(target)
    if options.lesion_model is not None:
        raise Ct2PetError("a prediction with a model for lesions (lesion_model) cannot be explained")
    label_names = {} if names is None else _names_in(Path(names), Path(regions))
    with chosen_members(options) as members:
        fields = members[0].loaded.plans.all_fields
        if not fields.inputs or fields.targets[0].rules.is_labels:
            raise Ct2PetError(
                f"{members[0].trained.model}: only methods that predict images from images can be explained"
            )
        cases = find_cases(source, target, fields)
        files = image_files(Path(regions))
        check_writable(target)
        explanation = _Explanation.of(members, source, cases, options, hide)
        rows: dict[str, list[RegionEffect]] = {}
        with progress("Explaining", len(cases), "%") as bar:  # in shares of cases

            def one(case: Case) -> None:
                if case.name not in files:
                    raise DatasetError(f"{regions}: no region map of {case.name}")
                bar.notes = [case.name]
                rows[case.name] = explanation.run(case, files[case.name], target, label_names, bar.advance)
                _write(target / TABLE, rows)

            results = map_cases(one, {case.name: (case,) for case in cases})
    results.raise_failures("could not be explained")
    return target / TABLE


@dataclass(frozen=True)
class _Explanation:
    ensemble: Ensemble
    fields: Fields
    maps: DistrictMaps | BodyMaps
    grids: OutputGrids
    hide: str

    @classmethod
    def of(
        cls, members: Sequence[Member], source: Path, cases: Sequence[Case], options: PredictionOptions, hide: str
    ) -> _Explanation:
        loaded = members[0].loaded
        maps = choose_maps(source, cases, loaded.plans, options)
        ensemble = predictor_of(members, options, choose_device(options.device))
        return cls(ensemble, loaded.plans.all_fields, maps, OutputGrids(loaded, "pet", None), hide)

    def run(
        self, case: Case, region_file: Path, target: Path, names: Mapping[int, str], report: Progress
    ) -> list[RegionEffect]:
        """The effects of all regions of a case; the changes are written. ``report`` is called with shares of the
        work that add up to 1."""
        inputs = {one.name: read_input(case.images[one.name], one) for one in self.fields.inputs}
        leading = inputs[self.fields.inputs[0].name]
        regions = resample(read_volume(region_file, "label").to_canonical(), leading.grid.to_canonical(), labels=True)
        labels = [label for label in map(int, np.unique(regions.array)) if label]
        share = 1 / (_BASE_REGIONS + len(labels))
        prediction = Reprediction(
            self.ensemble.predictors,
            {name: volume.to_canonical() for name, volume in inputs.items()},
            self.maps.of(case, inputs).to_canonical(),
            self.grids.of(case.name, leading.grid).to_canonical(),
        )
        report(_BASE_REGIONS * share)
        occlusion, change = (
            Occlusion(leading.to_canonical(), prediction, self.hide),
            np.zeros_like(prediction.usual.array),
        )
        effects = []
        for label in labels:
            effects.append(occlusion.effect(names.get(label, f"label {label}"), regions.array == label, change))
            report(share)
        found = prediction.usual.with_array(change).reorient_like(leading.grid)
        write_volume(target / f"{case.name}_change.nii.gz", found)
        return [effect for effect in effects if effect is not None]


def _names_in(path: Path, regions: Path) -> dict[int, str]:
    """The names of the labels of ``regions`` in a JSON file. Raises Ct2PetError, naming it, where it contains none."""
    content = read_json(path)
    key = _KEYS.get(regions.resolve().name[: -len("Ts")], ORGANS)
    if isinstance(content, dict) and not content.keys().isdisjoint(_OF_A_DATASET):
        if not content.get(key):
            raise Ct2PetError(f"{path}: has no {key} with the names of the labels in {regions}; omit --names")
        content = content[key]
    return {label: name for name, label in parse_as(content, dict[str, int], str(path)).items()}


def _write(path: Path, rows: Mapping[str, Sequence[RegionEffect]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for case, effects in sorted(rows.items()):
            for one in effects:
                numbers = (one.mean, one.mean_hidden, one.change_inside, one.change_around)
                table.writerow([case, one.region, f"{one.volume_ml:.2f}", *(f"{number:.4f}" for number in numbers)])
