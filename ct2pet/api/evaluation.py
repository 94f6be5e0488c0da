"""Evaluation, as the command ct2pet_evaluate does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.dataset import open_dataset
from ct2pet.evaluation import References, evaluate_predictions
from ct2pet.parallel import default_processes


def summary_file(predictions: Path) -> Path:
    """Where the summary of a folder of predictions lies by default."""
    return Path(predictions) / layout.SUMMARY


def evaluate(
    predictions: Path,
    dataset: str,
    *,
    split: str = "Ts",
    output: Path | None = None,
    lesions: Path | None = None,
    organs: Path | None = None,
    error_maps: Path | None = None,
    num_processes: int | None = None,
) -> dict[str, Any]:
    """Compare the predicted PETs (CASE.nii.gz, SUV) in a folder with the real ones of a raw dataset's ``split``.

    Writes the summary to ``output`` (default: summary.json among the predictions) and returns it. The folders
    ``lesions`` and ``organs`` (CASE.nii.gz) replace those of the dataset; into the folder ``error_maps`` go prediction
    - real PET (SUV) of each case, 0 outside the body. Raises CasesFailed, naming them, for cases without a prediction
    or with one that cannot be used.
    """
    predictions = Path(predictions)
    references = References.from_dataset(open_dataset(dataset), split, lesions=lesions, organs=organs)
    return evaluate_predictions(
        predictions,
        references,
        output or summary_file(predictions),
        num_processes=num_processes or default_processes(),
        error_maps=error_maps,
    )
