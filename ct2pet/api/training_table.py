"""The results of trainings as a printed table, and the next command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ct2pet import layout
from ct2pet.checkpoint import load_checkpoint
from ct2pet.console import duration, table, with_unit
from ct2pet.evaluation import read_summary
from ct2pet.evaluation.names import HEADERS, mean_text, value_text
from ct2pet.evaluation.statistics import describe
from ct2pet.layout import seed_folder
from ct2pet.models import load_model
from ct2pet.models.base import Synthesis
from ct2pet.planning.plans import Plans
from ct2pet.report import read_log

_SHOWN = ("mae", "ssim", "dice")


def show_trainings(folders: Sequence[Path], model: str, fold: int | str) -> None:
    """Print the result of every trained region, the paths of its checkpoints, and the command that predicts with them.

    ``folders``: of the trainings of one dataset.
    """
    dataset_name = folders[0].parents[1].name
    header = ["Region", "Epochs", "Time", "Best epoch, on patches", "Validation of whole cases, mean ± SE"]
    rows = [[_region(folder), *_progress(folder), _validation(folder)] for folder in folders]
    table(f"{model} of {dataset_name}, fold {fold}", header, rows)
    for folder in folders:
        names = [name for name in (layout.CHECKPOINT_FINAL, layout.CHECKPOINT_BEST) if (folder / name).exists()]
        print(f"checkpoints: {folder} ({', '.join(names)})")
    print(f"next: {_next(folders, model, fold)}")


def show_seeds(trainings: Mapping[int, Sequence[Path]], model: str, fold: int | str) -> None:
    """Print the result of every trained region over the runs, the folders of the runs, and the next commands.

    ``trainings``: the folders of the trainings of each seed, of the same regions in the same order.
    """
    seeds, every = list(trainings), list(trainings.values())
    dataset_name = every[0][0].parents[1].name
    header = ["Region", "Runs", *(f"Seed {seed}" for seed in seeds), "Mean ± SE over the runs"]
    rows = [[_region(runs[0]), str(len(runs)), *_over_runs(runs)] for runs in zip(*every)]
    table(f"{model} of {dataset_name}, fold {fold}, validation of whole cases", header, rows)
    for seed, folders in trainings.items():
        print(f"seed {seed}: {folders[0].parents[1]}")
    place = f"FOLDER/{seed_folder(Path(), seeds[0])}"
    print(f"next, for every seed: ct2pet_results={every[0][0].parents[2]} {_next(every[0], model, fold, place)}")
    if not issubclass(load_model(model), Synthesis):
        print("then, when all are evaluated: ct2pet_compare FOLDER FOLDER_OF_ANOTHER_MODEL")


def _over_runs(folders: Sequence[Path]) -> list[str]:
    """The first of the shown metrics of each run, and its mean ± standard error over the runs."""
    means = [_validation_means(folder) for folder in folders]
    metric = next((name for name in _SHOWN if all(name in found for found in means)), None)
    if metric is None:
        return ["–"] * (len(folders) + 1)
    values = [found[metric]["mean"] for found in means]
    texts = [value_text(metric, value) for value in values]
    return [*texts, f"{HEADERS[metric]} {mean_text(metric, describe(values))}"]


def _region(folder: Path) -> str:
    return folder.parent.name.split("__")[-1]


def _progress(folder: Path) -> list[str]:
    """Epochs, time, and the metrics of the epoch of checkpoint_best, which a training may not have written."""
    rows, best_weights = read_log(folder / layout.TRAINING_LOG), folder / layout.CHECKPOINT_BEST
    seconds = sum(row.get("seconds", 0.0) for row in rows)
    if not best_weights.exists():
        return [str(len(rows)), duration(seconds), "–"]
    epoch = int(load_checkpoint(best_weights)["epoch"])
    best = next((row for row in rows if int(row["epoch"]) + 1 == epoch), {})
    metrics = [
        with_unit(name.removeprefix(layout.VALIDATION_METRIC), value)
        for name, value in best.items()
        if name.startswith(layout.VALIDATION_METRIC)
    ]
    return [str(len(rows)), duration(seconds), f"{epoch}: {', '.join(metrics)}"]


def _validation(folder: Path) -> str:
    """The errors of the predicted validation cases inside the region."""
    found = _validation_means(folder)
    if not found:
        return "–"
    texts = [f"{HEADERS[metric]} {mean_text(metric, found[metric])}" for metric in _SHOWN if metric in found]
    cases = max((numbers["n"] for numbers in found.values()), default=0)
    return ", ".join([*texts, f"{cases} case(s)"])


def _validation_means(folder: Path) -> dict[str, Any]:
    """The means of the region of a training over its validation cases, with the final weights or else those of the best
    epoch; empty without a validation."""
    paths = (folder / name / layout.SUMMARY for name in (layout.VALIDATION, layout.VALIDATION_BEST))
    path = next(filter(Path.exists, paths), None)
    return next(iter(read_summary(path)["mean"].values()), {}) if path is not None else {}


def _next(folders: Sequence[Path], model: str, fold: int | str, target: str | None = None) -> str:
    """The command that uses the trained networks; ``target``: the folder of its results."""
    first = folders[0].parent
    options = f"-d {first.parent.name.removeprefix('Dataset').split('_')[0]} -m {model} -f {fold}"
    plans_name = first.name.split("__")[1]
    if plans_name != layout.DEFAULT_PLANS:
        options += f" -p {plans_name}"
    if issubclass(load_model(model), Synthesis):
        return f"ct2pet_synthesize -o {target or 'FOLDER_OF_IMAGES'} --label CLASS -n NUMBER {options}"
    planned = Plans.load(first / layout.PLANS).default_configurations
    others = [first.with_name(f"{model}__{plans_name}__{name}") / folders[0].name for name in planned]
    if not all((folder / layout.CHECKPOINT_FINAL).exists() for folder in others):
        options += f" -c {' '.join(map(_region, folders))}"
    return f"ct2pet_predict -i FOLDER_OF_INPUT_IMAGES -o {target or 'FOLDER_OF_PREDICTIONS'} {options}"
