"""The files of one training: three checkpoints and related files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ct2pet import distributed
from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.files import remove_folder
from ct2pet.layout import (
    CHECKPOINT_BEST,
    CHECKPOINT_FINAL,
    CHECKPOINT_LATEST,
    PROGRESS_PICTURE,
    TRAINING_LOG,
    TRAINING_PROVENANCE,
    VALIDATION,
    VALIDATION_BEST,
)
from ct2pet.planning.plans import Plans
from ct2pet.training.run import TrainingRun

_LENGTHS = ("num_epochs", "iterations_per_epoch", "decay_epochs")


def remove_training(folder: Path) -> None:
    """Remove the files of a training and its stages from its folder; other files are kept."""
    own = (CHECKPOINT_LATEST, CHECKPOINT_BEST, CHECKPOINT_FINAL, TRAINING_LOG, PROGRESS_PICTURE, TRAINING_PROVENANCE)
    (folder / CHECKPOINT_FINAL).unlink(missing_ok=True)  # first, so that a partly removed training is not finished
    for path in (*(folder / name for name in own), *folder.glob("events.out.tfevents*")):
        path.unlink(missing_ok=True)
    stages = {path.parent for path in folder.glob("*/checkpoint_*.pth")}
    for path in (folder / VALIDATION, folder / VALIDATION_BEST, *stages):
        remove_folder(path)


class Checkpoints:
    """The checkpoints in the folder of a training.

    ``latest`` has the weights for continuing, ``best`` and ``final`` those for prediction. Only the main process
    writes.
    """

    def __init__(self, run: TrainingRun) -> None:
        self.folder = run.folder
        self.identity: dict[str, Any] = {
            "model_name": run.model_name,
            "configuration_name": run.configuration_name,
            "plans": run.plans.to_json(),
        }

    def save(self, name: str, epoch: int, content: Mapping[str, Any]) -> None:
        """Write a checkpoint after ``epoch`` epochs."""
        if distributed.is_main_process():
            save_checkpoint(self.folder / name, {**self.identity, "epoch": epoch, **content})

    def exists(self, name: str) -> bool:
        return (self.folder / name).exists()

    def epochs_of(self, name: str) -> int:
        """The number of epochs of a checkpoint; 0 where it does not exist."""
        return int(load_checkpoint(self.folder / name)["epoch"]) if self.exists(name) else 0

    def remove_older(self, name: str, epoch: int) -> None:
        """Remove a checkpoint of fewer epochs, as a training leaves it that went on without checkpoints."""
        if self.epochs_of(name) < epoch:
            (self.folder / name).unlink(missing_ok=True)

    def load(self, name: str) -> dict[str, Any]:
        """The content of a checkpoint, on the CPU. Raises CheckpointError where it was trained with other plans."""
        content = load_checkpoint(self.folder / name)
        earlier = Plans.from_json(content["plans"], str(self.folder / name))  # older plans lack newer keys
        content["best"] = content.get("best", content.get("best_mae"))  # its name in older versions
        if self._decisions(earlier.to_json()) != self._decisions(self.identity["plans"]):
            raise CheckpointError(
                f"{self.folder / name}: was trained with other plans; start another training "
                "(-p) or restore the old plans"
            )
        return content

    def _decisions(self, plans: dict[str, Any]) -> list[Any]:
        """The content that must not change between interruption and resumption. The length of the training may
        change, and so may units and files of fields."""
        numbers = plans["models"].get(self.identity["model_name"], {})
        configuration = plans["configurations"].get(self.identity["configuration_name"])
        fields = [[one[key] for key in ("name", "role", "kind", "labels")] for one in plans["fields"]]
        return [fields, configuration, {name: number for name, number in numbers.items() if name not in _LENGTHS}]

    def clear(self) -> None:
        """Prepare the folder for a new training. Raises TrainingError where a finished one exists."""
        if self.exists(CHECKPOINT_FINAL):
            raise TrainingError(
                f"{self.folder}: this training is finished; --c continues with more epochs, --val only validates, "
                "--overwrite repeats it"
            )
        if distributed.is_main_process():
            for name in (CHECKPOINT_LATEST, CHECKPOINT_BEST, TRAINING_LOG, PROGRESS_PICTURE):
                (self.folder / name).unlink(missing_ok=True)
            for events in self.folder.glob("events.out.tfevents*"):
                events.unlink()
