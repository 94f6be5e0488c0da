"""Evaluation: the command ct2pet_evaluate as a function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.dataset import open_dataset
from ct2pet.errors import DatasetError
from ct2pet.evaluation import References, evaluate_predictions
from ct2pet.parallel import default_processes


@dataclass(frozen=True)
class EvaluationOptions:
    """``split``: the test ("Ts") or training ("Tr") cases of a dataset. ``output``: the summary's file (default:
    summary.json in the folder of the predictions). The folders ``lesions`` and ``organs`` (CASE.nii.gz) replace those
    of the dataset. ``error_maps``: folder for prediction - real PET (SUV) of each case, 0 outside the body."""

    split: str = "Ts"
    output: str | Path | None = None
    lesions: str | Path | None = None
    organs: str | Path | None = None
    error_maps: str | Path | None = None
    num_processes: int | None = None


def summary_file(predictions: str | Path) -> Path:
    """The default path of the summary of a folder of predictions."""
    return Path(predictions) / layout.SUMMARY


def evaluate(
    dataset: str | int, predictions: str | Path, options: EvaluationOptions | None = None, **changes: Any
) -> dict[str, Any]:
    """Compare the predicted PETs (CASE.nii.gz, SUV) in a folder with the real ones of a raw dataset.

    ``changes`` are EvaluationOptions by name. Writes the summary and returns it. Raises CasesFailed, naming them, for
    cases without a prediction or with one that cannot be used.
    """
    options = replace(options or EvaluationOptions(), **changes)
    lesions, organs = _path(options.lesions), _path(options.organs)
    raw = open_dataset(dataset)
    references = References.from_dataset(raw, options.split, lesions=lesions, organs=organs)
    if not references.cases:
        kind, other = ("test", "Tr") if options.split == "Ts" else ("training", "Ts")
        raise DatasetError(
            f"{raw.folder}: no {kind} cases (images{options.split}); -split {other} evaluates the other ones, and "
            "ct2pet_evaluate REAL PREDICTIONS compares the images of two folders"
        )
    return _evaluate(references, Path(predictions), options)


def evaluate_folders(
    real: str | Path, predictions: str | Path, options: EvaluationOptions | None = None, **changes: Any
) -> dict[str, Any]:
    """As ``evaluate``, with the real PETs (SUV) of a folder: images of the same names, no dataset. There are no
    districts; the body is found in the real PET."""
    options = replace(options or EvaluationOptions(), **changes)
    references = References.from_folder(Path(real), lesions=_path(options.lesions), organs=_path(options.organs))
    return _evaluate(references, Path(predictions), options)


def _evaluate(references: References, predictions: Path, options: EvaluationOptions) -> dict[str, Any]:
    return evaluate_predictions(
        predictions,
        references,
        Path(options.output or summary_file(predictions)),
        num_processes=options.num_processes or default_processes(),
        error_maps=_path(options.error_maps),
    )


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)
