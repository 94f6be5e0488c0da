"""The best trained model by cross-validation: the command ct2pet_find_best_configuration as a function."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.api.cross_validation import (
    FOLDER,
    CrossValidationOptions,
    check_trained,
    default_folder,
    evaluate_training_cases,
    out_of_fold,
    planned_configurations,
    predict_and_evaluate,
)
from ct2pet.dataset import RawDataset, open_dataset
from ct2pet.dataset.predictions import prediction_name
from ct2pet.errors import CheckpointError
from ct2pet.evaluation.comparing.ranking import Ranked, rank
from ct2pet.files import atomic_folder, read_json, write_json
from ct2pet.imageio import image_files, read_volume, write_volume
from ct2pet.inference.out_of_fold import OutOfFold
from ct2pet.inference.trained_models import TrainedModel, find_trained, matching
from ct2pet.paths import results_folder
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.resampling import resample
from ct2pet.volume import Volume

RECORD = "best_configuration.json"
_ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class BestConfigurationOptions:
    """``models``, ``plans_names``: only these methods and plans (default: all that are trained). ``ensembles``: also
    average the predictions of every two. ``prediction``: how cases are predicted, including the ``folds``."""

    models: Sequence[str] | None = None
    plans_names: Sequence[str] | None = None
    ensembles: bool = True
    prediction: CrossValidationOptions = field(default_factory=CrossValidationOptions)


@dataclass(frozen=True)
class BestConfiguration:
    """``ranked``: the best model first. ``command``: the command that predicts with it. ``left_out``: models that could
    not be compared, with the reason."""

    ranked: list[Ranked]
    command: str
    left_out: dict[str, str]

    @property
    def best(self) -> str:
        return self.ranked[0].name


@dataclass(frozen=True)
class _Candidate:
    trained: TrainedModel
    configurations: Sequence[str]

    @property
    def name(self) -> str:
        """The name in the form of --ensemble."""
        own = [] if [*self.configurations] == planned_configurations(self.trained) else ["+".join(self.configurations)]
        return "__".join([self.trained.model, self.trained.plans_name, *own])


def find_best_configuration(
    dataset: str | int, options: BestConfigurationOptions | None = None, **changes: Any
) -> BestConfiguration:
    """Compare all trained methods and plans of a dataset, by districts and as a whole body, and the mean of every two,
    by their out-of-fold predictions (see accumulate_crossval_results).

    ``changes`` are BestConfigurationOptions by name. Ranked by the mean absolute error inside the body (SUV).
    Predictions and best_configuration.json go to crossval_results in the dataset's results folder. Raises
    CheckpointError where no cross-validation is complete.
    """
    options = replace(options or BestConfigurationOptions(), **changes)
    raw = open_dataset(dataset)
    folders: dict[str, Path] = {}
    summaries: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    job: OutOfFold | None = None
    for candidate in _candidates(raw, options):
        name, trained = candidate.name, candidate.trained
        try:
            job = out_of_fold(raw, trained, candidate.configurations, options.prediction)
            check_trained(trained, candidate.configurations, list(job.validation))
        except CheckpointError as error:
            left_out[name] = str(error)
            continue
        folders[name] = default_folder(trained, candidate.configurations, job)
        summaries[name] = predict_and_evaluate(job, folders[name], options.prediction)
    if job is None or not summaries:
        reasons = "; ".join(left_out.values()) or (
            f"no training has a {options.prediction.checkpoint}; train every fold of a candidate first, for example "
            f"ct2pet_train {raw.name} pix2pix 0"
        )
        raise CheckpointError(f"{raw.name}: no complete cross-validation: {reasons}")
    if options.ensembles:
        summaries |= _ensembles(raw, job, folders, options)
    ranked = rank(summaries)
    command = _command(raw, ranked[0].name, list(job.validation), options.prediction)
    found = BestConfiguration(ranked, command, left_out)
    write_json(results_folder() / raw.name / FOLDER / RECORD, {**asdict(found), "folds": list(job.validation)})
    return found


def _candidates(raw: RawDataset, options: BestConfigurationOptions) -> Iterator[_Candidate]:
    everything = find_trained(results_folder(), options.prediction.checkpoint)
    for model in options.models or ():
        matching(everything, raw.name, model=model)
    for plans_name in options.plans_names or ():
        matching(everything, raw.name, plans_name=plans_name)
    for trained in everything:
        chosen = options.models is None or trained.model in options.models
        chosen &= options.plans_names is None or trained.plans_name in options.plans_names
        if trained.dataset_name != raw.name or not chosen:
            continue
        districts = planned_configurations(trained)
        yield _Candidate(trained, districts)
        if WHOLE_BODY in trained.folds and districts != [WHOLE_BODY]:
            yield _Candidate(trained, [WHOLE_BODY])


def _ensembles(
    raw: RawDataset, job: OutOfFold, folders: Mapping[str, Path], options: BestConfigurationOptions
) -> dict[str, dict[str, Any]]:
    """The summaries of the means of every two models, by their names joined by " + "."""
    fields = raw.fields
    if fields.label_maps:
        return {}  # labels cannot be averaged
    names = [prediction_name(case, one.name, fields) for case in job.cases for one in fields.targets]
    summaries = {}
    for pair in itertools.combinations(folders, 2):
        folder = folders[pair[0]].with_name("___".join([_ENSEMBLE, *(folders[name].name for name in pair)]))
        _average([folders[name] for name in pair], folder, names)
        summaries[" + ".join(pair)] = evaluate_training_cases(raw, job.cases, folder, options.prediction.num_processes)
    return summaries


def _average(sources: Sequence[Path], target: Path, names: Sequence[str]) -> None:
    """Write the mean of the images of these names, on the grid of the first, unless it exists."""
    made_of = [
        {key: value for key, value in read_json(folder / layout.PREDICTION).items() if key != "runs"}
        for folder in sources
    ]
    content = {**made_of[0], "model": " + ".join(folder.name for folder in sources), _ENSEMBLE: made_of}
    content["training_cases"] = "" if all(one["training_cases"] == "" for one in made_of) else None
    if (target / layout.PREDICTION).is_file() and read_json(target / layout.PREDICTION) == content:
        return
    with atomic_folder(target) as temporary:
        for name in names:
            files = [image_files(folder)[name] for folder in sources]
            write_volume(temporary / files[0].name, _mean([read_volume(file) for file in files]))
        write_json(temporary / layout.PREDICTION, content)


def _mean(images: Sequence[Volume]) -> Volume:
    mean = images[0]
    array = mean.array.astype("float32")
    for number, image in enumerate(images[1:], start=2):
        array += (resample(image, mean.grid).array - array) / number
    return mean.with_array(array)


def _command(raw: RawDataset, best: str, folds: Sequence[str], options: CrossValidationOptions) -> str:
    """The command that predicts new cases with the best model, all folds together."""
    names = best.split(" + ")
    words = ["ct2pet_predict", "-i", "INPUT", "-o", "OUTPUT", "-d", raw.name]
    if len(names) > 1:
        words += ["--ensemble", *names]
    else:
        model, plans, *own = names[0].split("__")
        words += ["-m", model, "-p", plans, *(["-c", *own[0].split("+")] if own else [])]
    words += ["-f", *folds]
    if options.checkpoint != layout.CHECKPOINT_FINAL:
        words += ["-chk", options.checkpoint]
    return shlex.join(words)
