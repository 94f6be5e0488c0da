"""Out-of-fold results of a cross-validation: the command ct2pet_accumulate_crossval_results as a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.api.device import choose_device
from ct2pet.console import say
from ct2pet.dataset import RawDataset, open_dataset
from ct2pet.errors import CheckpointError
from ct2pet.evaluation import References, evaluate_predictions
from ct2pet.inference.options import PredictionOptions
from ct2pet.inference.out_of_fold import OutOfFold, missing_trainings
from ct2pet.inference.trained_models import TrainedModel, choose, find_trained
from ct2pet.parallel import default_processes
from ct2pet.paths import results_folder
from ct2pet.planning.plans import WHOLE_BODY, Plans
from ct2pet.preprocessing.folder import PreprocessedDataset

FOLDER = "crossval_results"  # in the results folder of a dataset
_SHOWN = 5


@dataclass(frozen=True)
class CrossValidationOptions:
    """``model``, ``plans_name``, ``configurations`` (default: the districts), ``checkpoint`` choose the trained model;
    ``folds``: default all of splits_final.json. ``step_size``, ``mirror``, ``float32``, ``device``: as in
    PredictionOptions. ``num_processes`` evaluate."""

    model: str | None = None
    plans_name: str | None = None
    configurations: Sequence[str] | None = None
    folds: Sequence[str | int] | None = None
    checkpoint: str = layout.CHECKPOINT_FINAL
    device: str | None = None
    step_size: float | None = None
    mirror: bool = True
    float32: bool = False
    num_processes: int | None = None


def accumulate_crossval_results(
    dataset: str | int,
    output: str | Path | None = None,
    options: CrossValidationOptions | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Predict every training case with the models that were not trained on it, and evaluate all cases together; returns
    the summary.

    ``changes`` are CrossValidationOptions by name. Predictions (CASE.nii.gz, stitched from the districts),
    prediction.json and summary.json go to ``output`` (default: crossval_results/MODEL__PLANS in the dataset's results
    folder); an interrupted run continues. Raises CheckpointError with the commands to run where a fold is not trained,
    and where a fold was trained with its validation cases.
    """
    options = replace(options or CrossValidationOptions(), **changes)
    raw = open_dataset(dataset)
    trained = choose(find_trained(results_folder(), options.checkpoint), raw.name, options.model, options.plans_name)
    configurations = list(options.configurations or planned_configurations(trained))
    job = out_of_fold(raw, trained, configurations, options)
    check_trained(trained, configurations, list(job.validation))
    return predict_and_evaluate(job, Path(output or default_folder(trained, configurations, job)), options)


def planned_configurations(trained: TrainedModel) -> list[str]:
    """The default configurations of a prediction: the districts of the plans, or the whole body where no district is
    trained."""
    districts = [name for name in trained.folds if name != WHOLE_BODY]
    if not districts:
        return [WHOLE_BODY]
    return Plans.load(trained.folder(districts[0]) / layout.PLANS).default_configurations


def out_of_fold(
    raw: RawDataset, trained: TrainedModel, configurations: Sequence[str], options: CrossValidationOptions
) -> OutOfFold:
    """The out-of-fold predictions of one trained model."""
    prediction = PredictionOptions(
        dataset=trained.dataset_name,
        model=trained.model,
        plans_name=trained.plans_name,
        configurations=configurations,
        checkpoint=options.checkpoint,
        step_size=options.step_size,
        mirror=options.mirror,
        float32=options.float32,
    )
    splits = PreprocessedDataset.find(raw.name).splits()
    return OutOfFold.of(raw, splits, options.folds, prediction, choose_device(options.device))


def check_trained(trained: TrainedModel, configurations: Sequence[str], folds: Sequence[str]) -> None:
    """Raise CheckpointError, with the commands that train it, where something is not trained."""
    missing = missing_trainings(trained, configurations, folds)
    if missing:
        plans = "" if trained.plans_name == layout.DEFAULT_PLANS else f" -p {trained.plans_name}"
        by_fold: dict[str, list[str]] = {}
        for name, fold in missing:
            by_fold.setdefault(fold, []).append(name)
        commands = [
            f"ct2pet_train {trained.dataset_name} {trained.model} {fold} -c {' '.join(names)}{plans}"
            for fold, names in by_fold.items()
        ]
        more = f" and {len(commands) - _SHOWN} more" if len(commands) > _SHOWN else ""
        raise CheckpointError(
            f"{trained}: {len(missing)} training(s) of the cross-validation have no {trained.checkpoint}; run "
            f"{'; '.join(commands[:_SHOWN])}{more}"
        )


def default_folder(trained: TrainedModel, configurations: Sequence[str], job: OutOfFold) -> Path:
    """The default folder of a model's out-of-fold predictions."""
    own = [] if [*configurations] == planned_configurations(trained) else ["+".join(configurations)]
    all_folds = len(PreprocessedDataset.find(trained.dataset_name).splits())
    folds = [] if len(job.validation) == all_folds else ["folds_" + "_".join(job.validation)]
    name = "__".join([trained.model, trained.plans_name, *own, *folds])
    return trained.results / trained.dataset_name / FOLDER / name


def predict_and_evaluate(job: OutOfFold, folder: Path, options: CrossValidationOptions) -> dict[str, Any]:
    """Predict the validation cases into ``folder``, which is printed, and evaluate them there."""
    say(f"out-of-fold predictions: {folder}")
    job.predict(folder)
    return evaluate_training_cases(job.dataset, job.cases, folder, options.num_processes)


def evaluate_training_cases(
    raw: RawDataset, cases: Sequence[str], folder: Path, num_processes: int | None
) -> dict[str, Any]:
    """Evaluate predictions of some training cases; the summary, also written into their folder."""
    references = References.from_dataset(raw, "Tr")
    references = replace(references, cases={case: references.cases[case] for case in cases})
    return evaluate_predictions(
        folder, references, folder / layout.SUMMARY, num_processes=num_processes or default_processes()
    )
