"""The report, as the command ct2pet_report writes it."""

from __future__ import annotations

from pathlib import Path

from ct2pet import layout
from ct2pet.api.evaluation import summary_file
from ct2pet.dataset import open_dataset
from ct2pet.errors import Ct2PetError
from ct2pet.evaluation import read_summary
from ct2pet.files import read_json
from ct2pet.inference.trained_models import model_folder
from ct2pet.parallel import default_processes
from ct2pet.paths import results_folder
from ct2pet.provenance import PREDICTION_FILE
from ct2pet.report import LOG, MAX_CASES, read_log, report_of_dataset


def report(
    predictions: Path,
    dataset: str,
    *,
    split: str = "Ts",
    summary: Path | None = None,
    other_summary: Path | None = None,
    output: Path | None = None,
    figures: Path | None = None,
    max_cases: int = MAX_CASES,
    num_processes: int | None = None,
) -> Path:
    """Write one HTML file (default: report.html among the predictions) that shows what ``evaluate`` found.

    ``summary``: default summary.json among the predictions. ``other_summary``: of another model on the same cases,
    to compare with. ``figures``: a folder that also gets all plots and pictures as PNG, SVG and PDF. At most
    ``max_cases`` cases get pictures. The training curves are shown where prediction.json names a model that lies in
    the results folder. Raises Ct2PetError where there is no summary, or where the other one cannot be compared, and
    CasesFailed that names cases without pictures.
    """
    predictions = Path(predictions)
    other = None if other_summary is None else (_model_name(Path(other_summary)), read_summary(other_summary))
    return report_of_dataset(
        open_dataset(dataset),
        predictions,
        read_summary(summary or summary_file(predictions)),
        output or predictions / layout.REPORT,
        split=split,
        curves=training_curves(predictions),
        other=other,
        max_cases=max_cases,
        figures=figures,
        num_processes=num_processes or default_processes(),
    )


def _model_name(summary: Path) -> str:
    """What the other model is called: the folder of its summary.json, or the file's own name."""
    path = summary.resolve()
    return path.parent.name if path.name == layout.SUMMARY and path.parent.name else path.stem


def training_curves(predictions: Path) -> dict[str, list[dict[str, float]]]:
    """The training logs of the models that made the predictions, by district (and fold); those that are found."""
    try:
        made = read_json(Path(predictions) / PREDICTION_FILE)
        names = [str(made[key]) for key in ("dataset_name", "model", "plans_name")]
        folds = [(district, fold) for district, found in made["checkpoints_sha256"].items() for fold in found]
    except (Ct2PetError, KeyError, TypeError, AttributeError):  # predictions of something else
        return {}
    return {name: read_log(path) for name, path in _logs(names, folds).items() if path.is_file()}


def _logs(names: list[str], folds: list[tuple[str, str]]) -> dict[str, Path]:
    several = len({fold for _, fold in folds}) > 1
    titles = [f"{district}, {fold.replace('_', ' ')}" if several else district for district, fold in folds]
    dataset, model, plans = names
    places = [model_folder(results_folder(), dataset, model, plans, district) / fold / LOG for district, fold in folds]
    return dict(zip(titles, places))
