"""The districts of a case without a model: reported, and written as a map, to distinguish them from SUV 0."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ct2pet.dataset.predictions import NOT_PREDICTED
from ct2pet.errors import CheckpointError
from ct2pet.imageio import write_volume
from ct2pet.inference.input_files import Case
from ct2pet.inference.predictor import DistrictModels
from ct2pet.inference.trained_models import LoadedModel, TrainedModel, load_trained
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.resampling import resample
from ct2pet.volume import Grid, Volume


def without_model(plans: Plans, districts: Sequence[DistrictModels]) -> dict[str, int]:
    """The districts (name: label) of the plans without a model."""
    covered = {label for district in districts for label in district.configuration.labels}
    return {name: label for name, label in plans.districts.items() if label not in covered}


def filled_with_whole_body(trained: TrainedModel, loaded: LoadedModel, folds: Sequence[str] | None) -> LoadedModel:
    """The loaded model, with that of the whole body for districts without a model.

    Raises CheckpointError where the whole body is not trained.
    """
    missing = without_model(loaded.plans, loaded.districts)
    if not missing:
        return loaded
    if WHOLE_BODY not in trained.folds:
        names = ", ".join(missing)
        raise CheckpointError(f"{trained}: no trained model of {WHOLE_BODY}, which is needed for {names}")
    found = load_trained(trained, [WHOLE_BODY], folds)
    whole = found.districts[0]
    configuration = replace(whole.configuration, labels=sorted(missing.values()))
    districts = [*loaded.districts, replace(whole, configuration=configuration)]
    return replace(loaded, districts=districts, origins={**loaded.origins, **found.origins})


@dataclass(frozen=True)
class UncoveredDistricts:
    """``labels``: the districts without a model, by name."""

    labels: Mapping[str, int]

    def of(self, district_map: Volume, grid: Grid) -> Volume | None:
        """Their labels (uint8) in a case on ``grid``; None where none occurs."""
        if not np.isin(district_map.array, [*self.labels.values()]).any():
            return None
        there = resample(district_map, grid, labels=True)
        kept = np.where(np.isin(there.array, [*self.labels.values()]), there.array, 0)
        return Volume(kept.astype(np.uint8), grid, "label")

    def are_all_of(self, district_map: Volume) -> bool:
        """Whether a map has no other district."""
        return not (district_map.array[~np.isin(district_map.array, [*self.labels.values()])] > 0).any()

    def names_in(self, found: Volume) -> list[str]:
        """Those that occur in a map that ``of`` made."""
        return [name for name, label in self.labels.items() if (found.array == label).any()]


def map_file(case: Case) -> Path:
    """The path of the map of a case's districts that were not predicted."""
    return case.output.parent / NOT_PREDICTED / case.output.name


def write_map(case: Case, found: Volume | None) -> None:
    """Write the map of a case, or remove that of an earlier run where none is needed."""
    if found is None:
        remove_map(case)
    else:
        write_volume(map_file(case), found)


def remove_map(case: Case) -> None:
    """Remove the map of a case if it exists, and its folder if it was the last one."""
    path = map_file(case)
    if path.exists():
        path.unlink()
        with contextlib.suppress(OSError):  # has other maps, perhaps of another process
            path.parent.rmdir()


@contextlib.contextmanager
def nothing_incomplete_of(case: Case) -> Iterator[None]:
    """If the block fails before every prediction of the case exists, those that exist and its map are removed: a map
    without predictions and one target of two would be taken for results."""
    try:
        yield
    except BaseException:
        if not case.is_done:
            for path in case.outputs.values():
                path.unlink(missing_ok=True)
            remove_map(case)
        raise
