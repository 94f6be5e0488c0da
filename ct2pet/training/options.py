"""The options of one training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ct2pet.errors import TrainingError
from ct2pet.layout import CHECKPOINT_BEST, CHECKPOINT_FINAL, VALIDATION, VALIDATION_BEST


@dataclass(frozen=True)
class TrainingOptions:
    """``num_epochs`` and ``iterations_per_epoch`` replace the plans' numbers. ``resume`` continues from the latest
    checkpoint; ``overwrite`` replaces a finished training. ``deterministic`` makes two runs with one ``seed`` bit-equal
    (on one machine; slower on a GPU). ``num_workers`` loader threads (None: chosen by device). ``final_validation``
    predicts the validation cases of a numbered fold after training; those of the fold "all" are its training cases and
    are predicted on request. ``early_stop``: stop after this number of epochs without a lower validation MAE.
    ``pretrained_weights``: initial weights: a checkpoint, or the folder of a training or of models; for
    ``api.training`` also an archive of models or "box", the built-in model. ``compile``: use torch.compile.
    ``validate_best``: validate with the weights of the best epoch, into validation_best, in place of the final ones.
    ``checkpointing``: write checkpoints during training; without it only the final one is written, and an interrupted
    training starts again; it excludes ``validate_best`` (TrainingError). ``show_progress``: a live line and a
    line per epoch on standard error."""

    device: str = "cpu"
    num_epochs: int | None = None
    iterations_per_epoch: int | None = None
    save_every: int = 1
    seed: int = 12345
    deterministic: bool = False
    resume: bool = False
    overwrite: bool = False
    num_workers: int | None = None
    final_validation: bool = True
    early_stop: int | None = None
    pretrained_weights: Path | None = None
    compile: bool = False
    validate_best: bool = False
    checkpointing: bool = True
    show_progress: bool = True

    def __post_init__(self) -> None:
        if self.validate_best and not self.checkpointing:
            raise TrainingError(
                "--val_best needs the checkpoint of the best epoch, which --disable_checkpointing does not write; "
                "choose one of them"
            )

    @property
    def validated_checkpoint(self) -> str:
        """The checkpoint to validate."""
        return CHECKPOINT_BEST if self.validate_best else CHECKPOINT_FINAL

    @property
    def validation_folder(self) -> str:
        """The folder of the validation in that of the training."""
        return VALIDATION_BEST if self.validate_best else VALIDATION
