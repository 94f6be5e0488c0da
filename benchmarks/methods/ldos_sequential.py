"""Denoising, then segmentation of the denoised PET, as two networks: the sequential row of the paper's Table 4.

Both are the network of LDOS, each with one of its two losses. The second one is trained with PETs that trainings of the
first one predicted of cases outside their training set (``inner_folds``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import torch

from ct2pet.dataset import Fields
from ct2pet.models.base import Batch, PredictionModel, StagedHyperparameters, StagedMethod
from ct2pet.models.base.staged import draft_configuration, draft_fields
from ct2pet.models.ldos import LDOS, LDOSHyperparameters
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import Requirements
from ct2pet.preprocessing.normalization import from_input


@dataclass(frozen=True)
class SequentialHyperparameters(LDOSHyperparameters, StagedHyperparameters):
    """Those of LDOS for both networks, and the number of trainings that predict the training images of the second
    one."""


class _Stage(LDOS):
    Hyperparameters = SequentialHyperparameters
    without: ClassVar[Mapping[str, float]]  # the weights of the losses that this stage does not have

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.hyperparameters = replace(self.hyperparameters, **self.without)  # type: ignore[arg-type]
        super().build(configuration, fields)


class Denoising(_Stage):
    without: ClassVar = {"lambda_segmentation": 0.0}


class Segmentation(_Stage):
    """Its image is its input: the PET that the first network denoised."""

    without: ClassVar = {"lambda_denoising": 0.0, "lambda_organ_suv": 0.0}

    def predict(self, inputs: Batch) -> dict[str, torch.Tensor]:
        denoised = from_input(inputs[self.input.name], self.planned.normalization[self.image.name])
        return {**super().predict(inputs), self.image.name: denoised}


class SequentialLDOS(StagedMethod):
    Hyperparameters = SequentialHyperparameters
    hyperparameters: SequentialHyperparameters
    requirements = Requirements(
        LDOS.requirements.fields,
        stages={"denoising": LDOS.requirements, "segmentation": LDOS.requirements},
        dataset_keys=LDOS.requirements.dataset_keys,
        hyperparameters=asdict(SequentialHyperparameters()),
    )

    def build_stages(self, configuration: Configuration, fields: Fields) -> dict[str, PredictionModel]:
        drafts = draft_configuration(configuration, fields), draft_fields(fields)
        hparams: dict[str, Any] = asdict(self.hyperparameters)
        return {
            "denoising": Denoising(configuration, fields, hparams),
            "segmentation": Segmentation(*drafts, hparams),
        }


MODEL = SequentialLDOS
