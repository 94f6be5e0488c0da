"""The results of trainings as a printed table, and the next command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.checkpoint import load_checkpoint
from ct2pet.console import duration, table, with_unit
from ct2pet.evaluation import read_summary
from ct2pet.evaluation.names import HEADERS, mean_text
from ct2pet.models import load_model
from ct2pet.models.base import Synthesis
from ct2pet.report import read_log

_SHOWN = ("mae", "ssim", "dice")


def show_trainings(folders: Sequence[Path], model: str, fold: int | str) -> None:
    """Print the result of every trained region, the paths of its checkpoints, and the command that predicts with them.

    ``folders``: of the trainings of one dataset.
    """
    dataset_name = folders[0].parents[1].name
    header = ["Region", "Epochs", "Time", "Best epoch, on patches", "Validation of whole cases, mean ± SE"]
    rows = [[folder.parent.name.split("__")[-1], *_progress(folder), _validation(folder)] for folder in folders]
    table(f"{model} of {dataset_name}, fold {fold}", header, rows)
    names = f"{layout.CHECKPOINT_FINAL}, {layout.CHECKPOINT_BEST}"
    for folder in folders:
        print(f"checkpoints: {folder} ({names})")
    print(f"next: {_next(dataset_name, model, fold)}")


def _progress(folder: Path) -> list[str]:
    """Epochs, time, and the metrics of the epoch of checkpoint_best."""
    rows = read_log(folder / layout.TRAINING_LOG)
    seconds = sum(row.get("seconds", 0.0) for row in rows)
    epoch = int(load_checkpoint(folder / layout.CHECKPOINT_BEST)["epoch"])
    best = next((row for row in rows if int(row["epoch"]) + 1 == epoch), {})
    metrics = [
        with_unit(name.removeprefix(layout.VALIDATION_METRIC), value)
        for name, value in best.items()
        if name.startswith(layout.VALIDATION_METRIC)
    ]
    return [str(len(rows)), duration(seconds), f"{epoch}: {', '.join(metrics)}"]


def _validation(folder: Path) -> str:
    """The errors of the predicted validation cases inside the region."""
    path = folder / layout.VALIDATION / layout.SUMMARY
    if not path.exists():
        return "–"
    found: dict[str, Any] = next(iter(read_summary(path)["mean"].values()), {})
    texts = [f"{HEADERS[metric]} {mean_text(metric, found[metric])}" for metric in _SHOWN if metric in found]
    cases = max((numbers["n"] for numbers in found.values()), default=0)
    return ", ".join([*texts, f"{cases} case(s)"])


def _next(dataset_name: str, model: str, fold: int | str) -> str:
    options = f"-d {dataset_name.removeprefix('Dataset').split('_')[0]} -m {model} -f {fold}"
    if issubclass(load_model(model), Synthesis):
        return f"ct2pet_synthesize -o FOLDER_OF_IMAGES --label CLASS -n NUMBER {options}"
    return f"ct2pet_predict -i FOLDER_OF_INPUT_IMAGES -o FOLDER_OF_PREDICTIONS {options}"
