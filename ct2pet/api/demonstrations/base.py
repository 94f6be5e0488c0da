"""The common parts of all demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ct2pet import layout
from ct2pet.api.evaluation import evaluate
from ct2pet.api.prediction import predict
from ct2pet.dataset import open_dataset
from ct2pet.evaluation import short_table
from ct2pet.paths import raw_folder
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans
from ct2pet.report import LOG, read_log, report_of_dataset


@dataclass(frozen=True)
class Trained:
    """A finished training of a demonstration: its folder, the dataset's folder name, the method, the folder of each
    training, and the device."""

    folder: Path
    dataset: str
    method: str
    trainings: list[Path]
    device: str | None

    @property
    def raw(self) -> Path:
        """The raw dataset."""
        return raw_folder() / self.dataset


Stage = Callable[[Trained], None]


def predict_test_cases(trained: Trained) -> None:
    """Predict the dataset's test cases into ``predictions``."""
    images, predictions = trained.raw / "imagesTs", trained.folder / "predictions"
    predict(images, predictions, device=trained.device, continue_prediction=True)


def evaluate_and_report(trained: Trained) -> None:
    """Evaluate the predictions of ``predict_test_cases`` into summary.json and report.html; print the main numbers."""
    predictions = trained.folder / "predictions"
    summary = evaluate(trained.dataset, predictions, output=trained.folder / layout.SUMMARY)
    curves = {path.parent.name.split("__")[-1]: read_log(path / LOG) for path in trained.trainings}
    report = trained.folder / layout.REPORT
    report_of_dataset(open_dataset(trained.dataset), predictions, summary, report, curves=curves)
    print(f"\n{short_table(summary)}\n")


@dataclass(frozen=True)
class Demonstration:
    """The parts of a demonstration that depend on the method.

    ``dataset``: the folder name of its raw dataset, which ``write`` creates. ``shortened``: turns the planner's plans
    into plans for a training of minutes; it does not change shortened plans. ``conclusion``: the stages after training,
    by printed title; the last one writes report.html. ``plans_name``: of the planner, or of reference plans.
    """

    dataset: str
    write: Callable[[Path], None]
    shortened: Callable[[Plans], Plans]
    conclusion: Mapping[str, Stage] = field(
        default_factory=lambda: {
            "prediction of the held-out patients": predict_test_cases,
            "evaluation and report": evaluate_and_report,
        }
    )
    plans_name: str = layout.DEFAULT_PLANS


def of_phantoms(configuration: Configuration) -> Configuration:
    """Left-right flips only: all phantoms are supine, within a few degrees."""
    augmentation = replace(configuration.augmentation, rotation_probability=0.0, flip_axes=[2])
    return replace(configuration, augmentation=augmentation, mirror_axes=[2])
