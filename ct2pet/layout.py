"""The names of files and folders that several stages write and read, each in one place."""

from pathlib import Path

DATASET = "dataset.json"
CASES = "cases.csv"
FINGERPRINT = "dataset_fingerprint.json"
SPLITS = "splits_final.json"
DEFAULT_PLANS = "ct2petPlans"
PLANS = "plans.json"  # in the folder of a model

CHECKPOINT_LATEST = "checkpoint_latest.pth"
CHECKPOINT_BEST = "checkpoint_best.pth"
CHECKPOINT_FINAL = "checkpoint_final.pth"
TRAINING_LOG = "training_log.csv"
PROGRESS_PICTURE = "progress.png"
TRAINING_PROVENANCE = "provenance.json"
VALIDATION = "validation"

PREDICTION = "prediction.json"
SUMMARY = "summary.json"
REPORT = "report.html"


def model_folder(results: Path, dataset_name: str, model: str, plans_name: str, configuration: str) -> Path:
    """Where the folds of one configuration of a trained model lie."""
    return Path(results) / dataset_name / f"{model}__{plans_name}__{configuration}"


def fold_folder(folder: Path, fold: int | str) -> Path:
    """Where one fold lies in the folder of a configuration."""
    return folder / f"fold_{fold}"
