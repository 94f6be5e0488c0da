"""The names of files, folders and columns that several stages write and read."""

from pathlib import Path

DATASET = "dataset.json"
CASES = "cases.csv"
FINGERPRINT = "dataset_fingerprint.json"
SPLITS = "splits_final.json"
DEFAULT_PLANS = "ct2petPlans"
PLANS = "plans.json"  # in the folder of a model
MODEL_CARD = "MODEL_CARD.md"  # of a model that was shared

CHECKPOINT_LATEST = "checkpoint_latest.pth"
CHECKPOINT_BEST = "checkpoint_best.pth"
CHECKPOINT_FINAL = "checkpoint_final.pth"
TRAINING_LOG = "training_log.csv"
VALIDATION_METRIC = "validation_"  # the prefix of its columns that hold metrics
NO_LOSS = ("epoch", "seconds", "learning_rate")  # its other columns that hold no loss
PROGRESS_PICTURE = "progress.png"
TRAINING_PROVENANCE = "provenance.json"
VALIDATION = "validation"
VALIDATION_BEST = "validation_best"  # with the weights of the best epoch

_RUN = "seed_"  # the folders of a training's repetitions with several seeds, and of their predictions

PREDICTION = "prediction.json"
SUMMARY = "summary.json"
REPORT = "report.html"


def model_folder(results: Path, dataset_name: str, model: str, plans_name: str, configuration: str) -> Path:
    """The folder of one configuration of a trained model, which contains its folds."""
    return Path(results) / dataset_name / f"{model}__{plans_name}__{configuration}"


def seed_folder(folder: Path, seed: int) -> Path:
    """The folder in ``folder`` of the run with this seed."""
    return folder / f"{_RUN}{seed}"


def seed_folders(folder: Path) -> list[Path]:
    """The folders in ``folder`` of the runs, by seed; a copy such as seed_1_old is none."""
    runs = [path for path in folder.glob(f"{_RUN}*") if path.name.removeprefix(_RUN).isdecimal()]
    return sorted(runs, key=lambda path: int(path.name.removeprefix(_RUN)))


def is_loss(column: str) -> bool:
    """Whether a column of the training log is a loss."""
    return column not in NO_LOSS and not column.startswith(VALIDATION_METRIC)


def fold_folder(folder: Path, fold: int | str) -> Path:
    """The folder of one fold in the folder of a configuration."""
    return folder / f"fold_{fold}"
