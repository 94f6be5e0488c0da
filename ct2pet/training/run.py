"""One training: its method, plans, cases, folder and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ct2pet.dataset.splits import Split
from ct2pet.models import build_method, load_model
from ct2pet.models.base import Method
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing import DistrictStore
from ct2pet.training.options import TrainingOptions


@dataclass(frozen=True)
class TrainingRun:
    """The training of the method ``model_name`` on one configuration and one fold, into ``folder``.

    ``training_cases`` and ``validation_cases``: see ``with_present_cases``. ``splits``: all folds of the dataset.
    ``origin`` is added to the provenance. ``plans_source``: the file of the plans, for error messages.
    """

    model_name: str
    configuration_name: str
    plans: Plans
    store: DistrictStore
    training_cases: Sequence[str]
    validation_cases: Sequence[str]
    folder: Path
    options: TrainingOptions
    splits: Sequence[Split] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)
    plans_source: str = "the plans"

    @property
    def configuration(self) -> Configuration:
        """The plan of the trained configuration."""
        return self.plans.configuration(self.configuration_name)

    @property
    def device(self) -> torch.device:
        return torch.device(self.options.device)

    def build(self) -> Method:
        """A method with new weights, which depend only on the seed, on the CPU. Raises PlansError as build_method."""
        torch.manual_seed(self.options.seed)
        return build_method(self.model_name, self.plans, self.configuration_name, self.plans_source)

    def earlier_stages(self) -> list[str]:
        """The stages of the method before the last one; each is trained into a folder of its name in ``folder``."""
        return list(load_model(self.model_name).requirements.stages)[:-1]

    def with_present_cases(self) -> TrainingRun:
        """The same run without the cases that do not have the district."""
        present = set(self.store.cases)
        return self.of(
            [case for case in self.training_cases if case in present],
            [case for case in self.validation_cases if case in present],
            self.folder,
        )

    def of(self, training_cases: Sequence[str], validation_cases: Sequence[str], folder: Path) -> TrainingRun:
        """The same run with other cases and another folder."""
        return replace(self, training_cases=training_cases, validation_cases=validation_cases, folder=folder)
