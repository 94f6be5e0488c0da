"""The report: the command ct2pet_report as a function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.api.comparison import model_name
from ct2pet.api.evaluation import summary_file
from ct2pet.dataset import open_dataset
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation import read_summary
from ct2pet.evaluation.origin import predicted_again
from ct2pet.files import read_json
from ct2pet.inference.trained_models import model_folder
from ct2pet.parallel import default_processes
from ct2pet.paths import results_folder
from ct2pet.provenance import PREDICTION_FILE
from ct2pet.report import LOG, MAX_CASES, read_log, report_of_dataset


@dataclass(frozen=True)
class ReportOptions:
    """``split``: test ("Ts") or training ("Tr") cases. ``summary``: default summary.json in the folder of the
    predictions. ``other_summary``: of another model on the same cases, to compare with. ``output``: default report.html
    in the folder of the predictions. ``figures``: a folder for all plots and pictures as PNG, SVG and PDF. At most
    ``max_cases`` cases get pictures."""

    split: str = "Ts"
    summary: str | Path | None = None
    other_summary: str | Path | None = None
    output: str | Path | None = None
    figures: str | Path | None = None
    max_cases: int = MAX_CASES
    num_processes: int | None = None


def report(dataset: str | int, predictions: str | Path, options: ReportOptions | None = None, **changes: Any) -> Path:
    """Write one HTML file with the results of ``evaluate``; returns its path.

    ``changes`` are ReportOptions by name. The training curves are shown where the results folder has the model of
    prediction.json. Raises Ct2PetError where the summary is missing, is of earlier predictions in this folder, or
    cannot be compared with the other one, and CasesFailed that names cases without pictures.
    """
    options, predictions = replace(options or ReportOptions(), **changes), Path(predictions)
    other = None
    if options.other_summary is not None:
        other = model_name(Path(options.other_summary)), read_summary(options.other_summary)
    return report_of_dataset(
        open_dataset(dataset),
        predictions,
        read_summary(options.summary) if options.summary else _own_summary(predictions),
        Path(options.output or predictions / layout.REPORT),
        split=options.split,
        curves=training_curves(predictions),
        other=other,
        max_cases=options.max_cases,
        figures=None if options.figures is None else Path(options.figures),
        num_processes=options.num_processes or default_processes(),
    )


def _own_summary(predictions: Path) -> dict[str, Any]:
    """The summary in the folder of the predictions. Raises Ct2PetError where it is not of these predictions."""
    summary = read_summary(summary_file(predictions))
    if predicted_again(predictions, summary["provenance"]):
        raise Ct2PetError(f"{predictions}: was predicted again after the evaluation; run ct2pet_evaluate again")
    return summary


def training_curves(predictions: str | Path) -> dict[str, list[dict[str, float]]]:
    """The training logs of the predictions' models that exist, by district (and fold)."""
    try:
        made = read_json(Path(predictions) / PREDICTION_FILE)
        names = [str(made[key]) for key in ("dataset_name", "model", "plans_name")]
        folds = [(district, fold) for district, found in made["checkpoints_sha256"].items() for fold in found]
    except (Ct2PetError, KeyError, TypeError, AttributeError):  # predictions of another program
        return {}
    return {name: read_log(path) for name, path in _logs(names, folds).items() if path.is_file()}


def _logs(names: list[str], folds: list[tuple[str, str]]) -> dict[str, Path]:
    several = len({fold for _, fold in folds}) > 1
    titles = [f"{district}, {fold.replace('_', ' ')}" if several else district for district, fold in folds]
    dataset, model, plans = names
    places = [model_folder(results_folder(), dataset, model, plans, district) / fold / LOG for district, fold in folds]
    return dict(zip(titles, places))
