"""KonfAI with the network and the settings of its entries in SynthRAD2025 (V. Boussot, arXiv 2510.21358).

A U-Net++ with the encoder of ResNet-34, not pretrained, predicts each axial slice from five slices: L1 to the target
in [-1, 1], AdamW with 1e-3, whose rate falls by a quarter ten times, and random flips in the slice. KonfAI's own
transforms, patches, training and prediction are used. Differences from these entries: the patch is the whole slice, as
slices are smaller; a batch has 8 patches, as in its example of segmentation (32 would leave too few steps); the
perceptual loss, whose network is downloaded, and the mean over flips at prediction, which no arm has, are left out.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from ct2pet.imageio import read_volume, write_volume
from ct2pet.volume import Volume

_SUV = 20.0  # the end of the window of the PET
_SEED, _BATCH, _SLICES, _STRIDE = 32, 8, 5, 32
_RATE, _DECAY, _FALLS, _GAMMA = 1e-3, 1e-3, 10, 0.75
_NETWORK = "UNetPlusPlus"
_MODEL = {"classpath": f"segmentation.unetplusplus.{_NETWORK}"}
_ARGUMENTS = {"dim": 2, "in_channels": _SLICES, "classes": 1, "encoder_name": "resnet34", "activation": "tanh"}
_FLIPS = {"Flip": {"f_prob": [0, 0.5, 0.5], "prob": 1}}  # of rows and columns
_OUTPUT, _PREDICTED = "Activation", "sPET"


class Falling:
    """The factor of the learning rate: it falls ten times in ``seconds`` of processor time after the first step; then
    it is 0."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.started = seconds, 0.0

    def __call__(self, step: int) -> float:
        if step < 1:
            return 1.0
        self.started = self.started or time.process_time()
        done = (time.process_time() - self.started) / self.seconds
        return _GAMMA ** int(_FALLS * done) if done < 1 else 0.0


class FallingByTheClock(torch.optim.lr_scheduler.LambdaLR):
    """The objects that KonfAI creates from the tree of ``training``."""

    def __init__(self, optimizer: torch.optim.Optimizer, seconds: float = 300.0) -> None:
        super().__init__(optimizer, Falling(seconds))


def write_case(work: Path, case: str, ct: Volume, pet: Volume) -> None:
    folder = work / "Dataset" / case
    write_volume(folder / "CT.nii.gz", ct)
    write_volume(folder / "PET.nii.gz", pet)


def train(work: Path, shapes: Iterable[Sequence[int]], seconds: float) -> int:
    """Train on the written cases of ``shapes`` for ``seconds`` of processor time. Returns the steps; KonfAI writes the
    checkpoint into ``work``."""
    import konfai.api

    slices = [max(sizes) for sizes in zip(*(shape[1:] for shape in shapes))]
    with patch("konfai.trainer._Trainer._poll_live_requests", _validate_when_over):
        folder = konfai.api.train(
            training(work, slices, seconds),
            quiet=True,
            overwrite=True,
            checkpoints_dir=work / "Checkpoints",
            statistics_dir=work / "Statistics",
        )
    checkpoint = max(folder.glob("2*.pt"))  # named after its date; long trainings write earlier ones, too
    os.replace(checkpoint, work / "weights.pt")
    return int(torch.load(work / "weights.pt", weights_only=False)["it"]) - 1  # the last step had a rate of 0


def _validate_when_over(trainer: Any) -> tuple[bool, None]:
    """Called in every step. KonfAI ends a training whose learning rate is 0 where it validates."""
    if trainer.model.module.optimizer.param_groups[0]["lr"] <= 0:
        trainer.it_validation = trainer.it
    return False, None


def training(work: Path, slices: Sequence[int], seconds: float) -> dict[str, Any]:
    """The tree of a Config.yml of KonfAI. ``slices``: the rows and columns of the largest slice."""
    loss = {"MAE": {"is_loss": True, "reduction": "mean"}}
    settings = {
        **_ARGUMENTS,
        "outputs_criterions": {_OUTPUT: {"targets_criterions": {"PET": {"criterions_loader": loss}}}},
        "optimizer": {"name": "AdamW", "lr": _RATE, "weight_decay": _DECAY},
        "schedulers": {f"{__name__}:{FallingByTheClock.__name__}": {"nb_step": 0, "seconds": seconds}},
    }
    window = [
        {"Clip": {"min_value": 0, "max_value": _SUV, "save_clip_min": True, "save_clip_max": True}},
        {"Normalize": {"min_value": -1, "max_value": 1, "inverse": False}},
    ]
    return {
        "Trainer": {
            "Model": {**_MODEL, _NETWORK: settings},
            "Dataset": {
                "groups_src": {"CT": _group("CT", _ct(), True), "PET": _group("PET", window, False)},
                "augmentations": {"DataAugmentation_0": {"data_augmentations": _FLIPS, "nb": 1}},
                "Patch": _patch(slices),
                "dataset_filenames": [f"{work / 'Dataset'}:a:nii.gz"],
                "inline_augmentations": True,
                "batch_size": _BATCH,
                "validation": None,
                "shuffle": True,
                "num_workers": 0,
            },
            "train_name": "rival",
            "manual_seed": _SEED,
            "epochs": 10**6,
            "it_validation": 10**9,
            "it_lr_update": 1,
            "save_checkpoint_mode": "ALL",
        }
    }


def prediction(dataset: Path, slices: Sequence[int]) -> dict[str, Any]:
    """The tree of a Prediction.yml of KonfAI, which must prepare CTs as the training did."""
    output = {
        "name_class": "OutputDataset",
        "before_reduction_transforms": None,
        "after_reduction_transforms": None,
        "final_transforms": {"UnNormalize": {"min_value": 0, "max_value": _SUV}},
        "dataset_filename": f"{dataset.parent / 'Predicted'}:nii.gz",
        "group": _PREDICTED,
        "same_as_group": "CT:CT",
        "reduction": "Mean",
    }
    return {
        "Predictor": {
            "Model": {**_MODEL, _NETWORK: {**_ARGUMENTS, "outputs_criterions": None}},
            "Dataset": {
                "groups_src": {"CT": _group("CT", _ct(), True)},
                "augmentations": None,
                "Patch": _patch(slices),
                "dataset_filenames": [f"{dataset}:a:nii.gz"],
                "batch_size": _BATCH,
                "num_workers": 0,
            },
            "outputs_dataset": {_OUTPUT: {"OutputDataset": output}},
            "train_name": "rival",
            "combine": "Mean",
        }
    }


def _ct() -> list[dict[str, Any]]:
    return [
        {"Clip": {"min_value": -1024, "max_value": 3071}},
        {"Standardize": {"mean": None, "std": None, "mask": None, "inverse": False}},
    ]


def _group(name: str, transforms: Sequence[dict[str, Any]], is_input: bool) -> dict[str, Any]:
    chain = {key: arguments for one in transforms for key, arguments in one.items()}
    return {"groups_dest": {name: {"transforms": chain, "patch_transforms": None, "is_input": is_input}}}


def _patch(slices: Sequence[int]) -> dict[str, Any]:
    """Whole slices, filled up to what the network can halve; outside, a PET is 0 SUV."""
    size = [1, *(math.ceil(n / _STRIDE) * _STRIDE for n in slices)]
    return {"patch_size": size, "overlap": None, "pad_value": -1, "extend_slice": _SLICES - 1}


class Predictor:
    """KonfAI's prediction with the trained network, one case at a time."""

    def __init__(self, work: Path) -> None:
        self.weights = work / "weights.pt"

    def __call__(self, ct: Volume, scratch: Path) -> np.ndarray:
        """SUV on the CT's grid."""
        import konfai.api

        with TemporaryDirectory(dir=scratch.parent) as folder:
            dataset = Path(folder) / "Dataset"
            write_volume(dataset / "case" / "CT.nii.gz", ct)
            konfai.api.predict(
                self.weights,
                prediction(dataset, ct.grid.shape[1:]),
                quiet=True,
                overwrite=True,
                predictions_dir=Path(folder) / "Predictions",
            )
            (path,) = Path(folder).rglob(f"{_PREDICTED}.nii.gz")
            return read_volume(path).array.astype(np.float32)
