"""nnU-Net's trainer turned to regression, as forks for translation do: L1 in place of Dice, and no mirroring.

Its fingerprint, planner, preprocessing, network with deep supervision, spatial augmentation, optimizer (SGD, polynomial
learning rate) and sliding window are nnU-Net's own. The PET is a second image channel that is not normalised: both move
together in the spatial augmentation. Augmentations of intensity are off, because they would change the PET, too.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ct2pet.imageio import write_volume
from ct2pet.volume import Volume

_DATASET, _NUMBER, _PLANS, _CONFIGURATION = "Dataset777_Rival", 777, "nnUNetPlans", "3d_fullres"
_POWER = 0.9  # of nnU-Net's learning rate


def use_folders(work: Path) -> None:
    """Before nnU-Net is imported."""
    for kind in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{kind}"] = str(work / kind)
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_compile": "f", "nnUNet_def_n_proc": "1"}


def write_case(work: Path, case: str, ct: Volume, pet: Volume, body: np.ndarray) -> None:
    """A training case: CT and PET as channels, the body as its only label, which the planner and the sampling need."""
    raw = work / "raw" / _DATASET
    write_volume(raw / "imagesTr" / f"{case}_0000.nii.gz", ct)
    write_volume(raw / "imagesTr" / f"{case}_0001.nii.gz", pet)
    write_volume(raw / "labelsTr" / f"{case}.nii.gz", pet.with_array(body.astype(np.uint8)))


def prepare(work: Path, num_cases: int, memory_gib: float) -> None:
    """nnU-Net's fingerprint, plans for ``memory_gib`` of a GPU, and preprocessed cases."""
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprint_dataset, preprocess_dataset

    (work / "raw" / _DATASET / "dataset.json").write_text(
        json.dumps(
            {
                "channel_names": {"0": "CT", "1": "noNorm"},
                "labels": {"background": 0, "body": 1},
                "numTraining": num_cases,
                "file_ending": ".nii.gz",
            }
        )
    )
    extract_fingerprint_dataset(_NUMBER, num_processes=1)
    ExperimentPlanner(_NUMBER, gpu_memory_target_in_gb=memory_gib, suppress_transpose=True).plan_experiment()
    preprocess_dataset(_NUMBER, _PLANS, (_CONFIGURATION,), [1])


def make_trainer(work: Path) -> Any:
    """The trainer of all cases."""
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    class RegressionTrainer(nnUNetTrainer):
        @staticmethod
        def build_network_architecture(
            plans_manager: Any, configuration_manager: Any, num_in: int, num_out: int, deep_supervision: bool = True
        ) -> torch.nn.Module:
            """One input, the CT. Of the outputs, one for each label, only the first is used."""
            return nnUNetTrainer.build_network_architecture(
                plans_manager, configuration_manager, 1, num_out, deep_supervision
            )

        @staticmethod
        def get_training_transforms(*arguments: Any, **options: Any) -> ComposeTransforms:
            every = nnUNetTrainer.get_training_transforms(*arguments, **options).transforms
            return ComposeTransforms([one for one in every if isinstance(one, SpatialTransform)])

        def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> tuple:
            *others, _ = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
            self.inference_allowed_mirroring_axes = None
            return (*others, None)

        def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
            ct, pet = batch["data"][:, :1], batch["data"][:, 1:]
            self.optimizer.zero_grad(set_to_none=True)
            outputs = self.network(ct)
            weights = [0.5**scale for scale in range(len(outputs) - 1)]  # the coarsest one has none, as in nnU-Net
            losses = [
                weight * functional.l1_loss(output[:, :1], functional.adaptive_avg_pool3d(pet, output.shape[2:]))
                for weight, output in zip(weights, outputs)
            ]
            loss = sum(losses[1:], losses[0]) / sum(weights)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
            self.optimizer.step()
            return {"loss": loss.detach().numpy()}

    preprocessed = work / "preprocessed" / _DATASET
    plans = json.loads((preprocessed / f"{_PLANS}.json").read_text())
    content = json.loads((work / "raw" / _DATASET / "dataset.json").read_text())
    trainer = RegressionTrainer(
        {**plans, "continue_training": False}, _CONFIGURATION, "all", content, torch.device("cpu")
    )
    trainer.initialize()
    return trainer


def train(work: Path, seconds: float) -> int:
    """Train for ``seconds`` of processor time; the learning rate falls with the time that is left. Returns the steps,
    and writes the weights."""
    trainer, steps = make_trainer(work), 0
    os.environ |= {"nnUNet_n_proc_DA": "0"}  # the data loader works in this process, whose time is counted
    trainer.on_train_start()
    trainer.network.train()
    started = time.process_time()
    while (left := 1 - (time.process_time() - started) / seconds) > 0:
        for group in trainer.optimizer.param_groups:
            group["lr"] = trainer.initial_lr * left**_POWER
        trainer.train_step(next(trainer.dataloader_train))
        steps += 1
    torch.save(trainer.network.state_dict(), work / "weights.pth")
    return steps


def to_original(configuration: Any, predicted: torch.Tensor, properties: dict[str, Any]) -> np.ndarray:
    """The prediction (1, Z, Y, X) resampled as nnU-Net does with probabilities, 0 where it had cropped the image."""
    shape = properties["shape_after_cropping_and_before_resampling"]
    spacings = configuration.spacing, properties["spacing"]
    resampled = np.asarray(configuration.resampling_fn_probabilities(predicted, shape, *spacings))
    whole = np.zeros(properties["shape_before_cropping"], np.float32)
    whole[tuple(slice(*ends) for ends in properties["bbox_used_for_cropping"])] = resampled[0]
    return whole


class Predictor:
    """The trained network in nnU-Net's sliding window, whose windows lie ``step_size`` of their edges apart."""

    def __init__(self, work: Path, step_size: float) -> None:
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        self.trainer = make_trainer(work)
        self.trainer.set_deep_supervision_enabled(False)
        weights = torch.load(work / "weights.pth", weights_only=True)
        self.window = nnUNetPredictor(step_size, use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
        managers = self.trainer.plans_manager, self.trainer.configuration_manager
        self.window.manual_initialization(
            self.trainer.network, *managers, [weights], self.trainer.dataset_json, "RegressionTrainer", None
        )

    def __call__(self, ct: Volume, scratch: Path) -> np.ndarray:
        """SUV on the CT's grid. ``scratch``: a file for the CT, which nnU-Net reads itself."""
        write_volume(scratch, ct)
        plans, configuration = self.trainer.plans_manager, self.trainer.configuration_manager
        preprocessor = configuration.preprocessor_class(verbose=False)
        files = [str(scratch), str(scratch)]  # the second one stands for the PET and is not used
        data, _, properties = preprocessor.run_case(files, None, plans, configuration, self.trainer.dataset_json)
        with torch.inference_mode():
            found = self.window.predict_logits_from_preprocessed_data(torch.from_numpy(data[:1]))[:1]
        return to_original(configuration, found, properties)
