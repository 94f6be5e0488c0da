"""All stages on a procedural phantom, for ``ct2pet_demo`` and ``make demo``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ct2pet import layout
from ct2pet.api.evaluation import evaluate
from ct2pet.api.planning import extract_fingerprint, plan
from ct2pet.api.prediction import predict
from ct2pet.api.preprocessing import DEFAULT_PLANS, preprocess
from ct2pet.api.training import train
from ct2pet.dataset import open_dataset
from ct2pet.evaluation import table
from ct2pet.parallel import default_processes
from ct2pet.phantom import DEMO, write_dataset
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.report import LOG, read_log, report_of_dataset
from ct2pet.training import TrainingOptions

DATASET = "Dataset999_Phantom"
MODEL = "pix2pix"
_NUM_TRAIN, _NUM_TEST, _SEED = 16, 4, 2503
_EPOCHS, _ITERATIONS = 10, 40


def run_demo(folder: Path, *, device: str | None = None) -> Path:
    """Make phantom patients, plan, train a network per district, predict patients that were held out, and compare.

    Everything lands under ``folder``: raw, preprocessed, results, predictions, summary.json, report.html. Returns the
    path of the report. Interrupted and run again, it goes on.
    """
    folder = Path(folder).resolve()
    with _working_in(folder):
        raw = folder / "raw" / DATASET
        with _step("1/6 a phantom dataset"):
            if not (raw / layout.DATASET).exists():
                write_dataset(
                    raw,
                    num_train=_NUM_TRAIN,
                    num_test=_NUM_TEST,
                    seed=_SEED,
                    scanner=DEMO,
                    num_processes=default_processes(),
                )
        with _step("2/6 fingerprint and plans"):
            extract_fingerprint(DATASET)
            if not _is_planned():
                _for_minutes(plan(DATASET, device=device))
        with _step("3/6 preprocessing"):
            preprocess(DATASET)
        with _step("4/6 training"):
            folders = train(DATASET, MODEL, "all", device=device, options=TrainingOptions(resume=True))
        with _step("5/6 prediction of the held-out patients"):
            predictions = folder / "predictions"
            predict(raw / "imagesTs", predictions, device=device, continue_prediction=True)
        with _step("6/6 evaluation and report"):
            summary = evaluate(DATASET, predictions, output=folder / layout.SUMMARY)
            curves = {path.parent.name.split("__")[-1]: read_log(path / LOG) for path in folders}
            report = folder / layout.REPORT
            report_of_dataset(open_dataset(DATASET), predictions, summary, report, curves=curves)
    print(table(summary))
    return report


def _is_planned() -> bool:
    """Whether an interrupted run has made its plans: what it trained goes on with them, however much memory is free."""
    path = PreprocessedDataset.find(DATASET).plans_file(DEFAULT_PLANS)
    return path.exists() and Plans.load(path).hyperparameters(MODEL)["num_epochs"] == _EPOCHS


def _for_minutes(plans: Plans) -> None:
    """Fit the plans to a training of minutes: what makes a long training general slows a short one down."""
    lighter = {name: _lighter(configuration) for name, configuration in plans.configurations.items()}
    numbers = {
        "num_epochs": _EPOCHS,
        "iterations_per_epoch": _ITERATIONS,
        "decay_epochs": _EPOCHS // 2,
    }
    models = {**plans.models, MODEL: {**plans.hyperparameters(MODEL), **numbers}}
    path = PreprocessedDataset.find(DATASET).plans_file(DEFAULT_PLANS)
    replace(plans, configurations=lighter, models=models).save(path)


def _lighter(configuration: Configuration) -> Configuration:
    """Left-right flips only: all phantoms lie on their backs, within a few degrees."""
    augmentation = replace(configuration.augmentation, rotation_probability=0.0, flip_axes=[2])
    return replace(configuration, augmentation=augmentation, mirror_axes=[2])


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Inside the block the three folders of ct2pet lie under ``folder``."""
    ours = {f"ct2pet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _step(title: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"{title} ...", flush=True)
    yield
    print(f"{title}: {time.monotonic() - started:.0f} s", flush=True)
