"""RegC2P: axial slices by a registration-enhanced GAN, then stacks of them refined in 3D.

Nguyen and Le, "RegC2P: A registration-enhanced GAN for 3D CT-to-PET translation", 2025,
doi 10.54939/1859-1043.j.mst.102.2025.125-132. What the paper leaves open: documentation/explanation/regc2p.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import torch

from ct2pet.dataset import Fields
from ct2pet.models.base import PredictionModel, StagedHyperparameters, StagedMethod
from ct2pet.models.base.staged import draft_configuration, draft_fields
from ct2pet.models.reggan import RegGAN, RegGANHyperparameters
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import INPUTS, NetworkNeed, Requirements
from ct2pet.preprocessing.normalization import from_input
from ct2pet.schema import Positive, Share


@dataclass(frozen=True)
class RegC2PHyperparameters(StagedHyperparameters, RegGANHyperparameters):
    """``refinement``: whether there is a second stage. ``overlap``: the share of a stack of slices that the next one
    covers again (0: they stand side by side). ``registration`` is that of both stages."""

    learning_rate: Positive = 1e-4
    refinement: bool = True
    overlap: Share = 0.5


class SliceTranslation(RegGAN):
    """Stage 1: RegGAN on axial slices."""

    Hyperparameters = RegC2PHyperparameters
    requirements = replace(RegGAN.requirements, dimensions=2)


class Refinement(RegGAN):
    """Stage 2: a 3D U-Net that gives what to add to stacked slices, trained like stage 1 but without a discriminator.

    The PETs that it learns from lie as far from the slices as they lay from the CTs, so that it has a registration
    network of its own.
    """

    Hyperparameters = RegC2PHyperparameters
    hyperparameters: RegC2PHyperparameters
    requirements = replace(
        RegGAN.requirements,
        networks={
            "generator": NetworkNeed(inputs=(INPUTS,)),  # stacked PETs, which have no windows
            "registration": RegGAN.requirements.networks["registration"],
        },
    )

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.hyperparameters = replace(self.hyperparameters, lambda_adversarial=0.0)
        self.planned = replace(configuration, tile_overlap=self.hyperparameters.overlap)
        super().build(configuration, fields)

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return from_input(inputs, self.planned.normalization[self.target.name]) + self.generator(inputs)


class RegC2P(StagedMethod):
    """Both stages; the first alone is RegGAN in 2D."""

    Hyperparameters = RegC2PHyperparameters
    hyperparameters: RegC2PHyperparameters
    requirements = Requirements(
        stages={"slices": SliceTranslation.requirements, "refinement": Refinement.requirements},
        hyperparameters=asdict(RegC2PHyperparameters()),
    )

    def build_stages(self, configuration: Configuration, fields: Fields) -> dict[str, PredictionModel]:
        hparams = asdict(self.hyperparameters)
        stages: dict[str, PredictionModel] = {"slices": SliceTranslation(configuration, fields, hparams)}
        if self.hyperparameters.refinement:
            drafts = draft_configuration(configuration, fields), draft_fields(fields)
            stages["refinement"] = Refinement(*drafts, hparams)
        return stages


MODEL = RegC2P
