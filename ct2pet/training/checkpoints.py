"""The files of one training: three checkpoints, and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ct2pet import distributed
from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.planning.plans import Plans

LATEST, BEST, FINAL = "checkpoint_latest.pth", "checkpoint_best.pth", "checkpoint_final.pth"
_LENGTHS = ("num_epochs", "iterations_per_epoch", "decay_epochs")


class Checkpoints:
    """The checkpoints in the ``folder`` of a training of one method on one configuration of ``plans``.

    ``latest`` holds the weights to go on with, ``best`` and ``final`` those to predict with. Of several processes the
    main one writes.
    """

    def __init__(self, folder: Path, model_name: str, configuration_name: str, plans: Plans) -> None:
        self.folder = folder
        self.identity: dict[str, Any] = {
            "model_name": model_name,
            "configuration_name": configuration_name,
            "plans": plans.to_json(),
        }

    def save(self, name: str, epoch: int, content: Mapping[str, Any]) -> None:
        """Write a checkpoint after ``epoch`` epochs."""
        if distributed.is_main_process():
            save_checkpoint(self.folder / name, {**self.identity, "epoch": epoch, **content})

    def exists(self, name: str) -> bool:
        return (self.folder / name).exists()

    def epochs_of(self, name: str) -> int:
        """After how many epochs a checkpoint was written; 0 where there is none."""
        return int(load_checkpoint(self.folder / name)["epoch"]) if self.exists(name) else 0

    def load(self, name: str) -> dict[str, Any]:
        """The content of a checkpoint, on the CPU. Raises CheckpointError where it was trained with other plans than
        these."""
        content = load_checkpoint(self.folder / name)
        earlier = Plans.from_json(content["plans"], str(self.folder / name))  # older plans lack what has come since
        if self._decisions(earlier.to_json()) != self._decisions(self.identity["plans"]):
            raise CheckpointError(
                f"{self.folder / name}: was trained with other plans than those of today; train anew in another "
                "folder (-p) or bring the old plans back"
            )
        return content

    def _decisions(self, plans: dict[str, Any]) -> list[Any]:
        """What must not change between interruption and resumption. The length of the training may."""
        numbers = plans["models"].get(self.identity["model_name"], {})
        configuration = plans["configurations"].get(self.identity["configuration_name"])
        return [configuration, {name: number for name, number in numbers.items() if name not in _LENGTHS}]

    def clear(self) -> None:
        """Make room for a new training. Raises TrainingError where one was finished."""
        if self.exists(FINAL):
            raise TrainingError(
                f"{self.folder}: this training is finished; --c goes on with more epochs, --val only validates, and to "
                "train it anew remove the folder"
            )
        if distributed.is_main_process():
            for name in (LATEST, BEST, "training_log.csv", "progress.png"):
                (self.folder / name).unlink(missing_ok=True)
            for events in self.folder.glob("events.out.tfevents*"):
                events.unlink()
