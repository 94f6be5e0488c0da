"""Methods in several stages: Models of their own, trained one after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from torch import nn

from ct2pet.dataset import Field, Fields
from ct2pet.dataset.fields import INPUT
from ct2pet.models.base.hyperparameters import StagedHyperparameters, parse_hyperparameters
from ct2pet.models.base.model import PredictionModel
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import Requirements

_SUFFIX = "_draft"


class StagedMethod(nn.Module, ABC):
    """A sequence of models. Each predicts whole volumes; the images that one predicts are the inputs of the next.

    A later stage gets them in the range of inputs (normalization.as_input), under the names of ``draft_fields``.
    """

    requirements: ClassVar[Requirements]
    Hyperparameters: ClassVar[type[StagedHyperparameters]] = StagedHyperparameters
    hyperparameters: StagedHyperparameters

    def __init__(
        self, configuration: Configuration, fields: Fields, hyperparameters: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.configuration, self.fields = configuration, fields
        self.hyperparameters = parse_hyperparameters(self.Hyperparameters, hyperparameters or {})
        self.parts = nn.ModuleDict(self.build_stages(configuration, fields))

    @abstractmethod
    def build_stages(self, configuration: Configuration, fields: Fields) -> dict[str, PredictionModel]:
        """The stages by name, in order: the later ones with ``draft_configuration`` and ``draft_fields``."""

    @property
    def stages(self) -> dict[str, PredictionModel]:
        """The stages by name, in order."""
        return dict(self.parts.items())  # type: ignore[arg-type]

    def used_for_inference(self, weight: str) -> bool:
        """Whether predicting uses the entry of ``state_dict`` with this name."""
        _, stage, rest = weight.split(".", 2)
        return self.stages[stage].used_for_inference(rest)


def draft_name(target: Field) -> str:
    """The name under which a later stage gets what an earlier one predicted of a target."""
    return f"{target.name}{_SUFFIX}"


def draft_fields(fields: Fields) -> Fields:
    """The fields of a stage whose inputs are the image targets that the stage before predicted."""
    images = [target for target in fields.targets if not target.rules.is_labels]
    return fields.with_inputs([replace(target, name=draft_name(target), role=INPUT) for target in images])


def draft_configuration(configuration: Configuration, fields: Fields) -> Configuration:
    """The configuration of such a stage: drafts lie in the range of inputs, and have no dose to change."""
    images = [target for target in fields.targets if not target.rules.is_labels]
    windows = {
        draft_name(target): replace(configuration.normalization[target.name], range=[-1.0, 1.0]) for target in images
    }
    return replace(
        configuration,
        normalization={**configuration.normalization, **windows},
        augmentation=replace(configuration.augmentation, dose_fractions=[]),
    )
