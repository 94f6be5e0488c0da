"""The trainings of one method on one configuration and fold: one, or two stages with what lies between them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ct2pet import distributed
from ct2pet.checkpoint import load_checkpoint
from ct2pet.dataset.splits import Split, inner_folds
from ct2pet.errors import TrainingError
from ct2pet.models import load_model
from ct2pet.models.base import Model, StagedHyperparameters
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing import DistrictStore
from ct2pet.training.checkpoints import FINAL
from ct2pet.training.drafts import DraftStore
from ct2pet.training.options import TrainingOptions
from ct2pet.training.trainer import Stage, Trainer

_log = logging.getLogger(__name__)
DRAFTS = "drafts"


class StagedTraining:
    """Trains ``model_name`` on one configuration and one fold, into ``folder``; arguments as those of Trainer.

    A method of one stage is one Trainer's work. Of a method of two, the first stage is trained into ``folder/STAGE``.
    The second one must learn from predictions as the first makes them of cases that it has not seen, so that trainings
    of the first with a part of the training cases each (``folder/STAGE/inner_0``, ...; dataset.splits.inner_folds)
    predict the others, into ``folder/drafts``. The second stage is trained into ``folder`` itself; its checkpoints
    hold both. All trainings are as long as the options or the plans say.
    """

    def __init__(
        self,
        model_name: str,
        configuration_name: str,
        plans: Plans,
        store: DistrictStore,
        cases: tuple[Sequence[str], Sequence[str]],
        splits: Sequence[Split],
        folder: Path,
        options: TrainingOptions,
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.names, self.plans, self.store = (model_name, configuration_name), plans, store
        present = set(store.cases)
        self.cases = tuple([case for case in part if case in present] for part in cases)
        self.splits, self.folder, self.options, self.origin = splits, Path(folder), options, dict(origin or {})
        configuration = plans.configuration(configuration_name)
        self.model: Model = load_model(model_name)(configuration, plans.hyperparameters(model_name))
        self.first, *later = self.model.stages
        if len(later) > 1:
            raise TrainingError(f"{model_name} has {1 + len(later)} stages; there may be two")
        self.last = later[0] if later else self.first

    def run(self) -> None:
        """Train all stages, and validate at the end as Trainer does; see there.

        Interrupted at any time and run again with ``resume``, it goes on where it was.
        """
        if self.first == self.last:
            self._trainer(self.folder, Stage(self.first)).run()
            return
        checkpoint = self._train_first(self.folder / self.first, self.cases, "")
        drafts = self._drafts(checkpoint)
        earlier = load_checkpoint(checkpoint)["model"]
        self._trainer(self.folder, Stage(self.last, drafts, _of_stage(earlier, self.first))).run()

    def validate(self) -> dict[str, Any]:
        """As Trainer.validate, with all stages."""
        return self._trainer(self.folder, Stage(self.last)).validate()

    def _drafts(self, checkpoint: Path) -> DraftStore:
        """The first stage's predictions: of training cases by trainings that have not seen them, of the others by the
        first stage itself."""
        training, validation = self.cases
        parts = self._parts()
        if len(parts) < 2:
            _log.warning(
                "%s: the second stage learns from predictions of cases that the first was trained with; it will "
                "expect them better than they are",
                self.folder,
            )
            parts = []
            self._predict([*training], checkpoint)
        for number, held_out in enumerate(parts):
            own = ([case for case in training if case not in held_out], held_out)
            folder = self.folder / self.first / f"inner_{number}"
            self._predict(held_out, self._train_first(folder, own, f" inner {number + 1}/{len(parts)}"))
        seen = f"left out of {len(parts)} inner trainings" if parts else "that the first stage was trained with"
        self.origin["second_stage_learns_from"] = f"predictions of cases {seen}"
        self._predict([case for case in validation if case not in {*training}], checkpoint)
        return DraftStore(self.store, self.folder / DRAFTS)

    def _parts(self) -> list[list[str]]:
        numbers = self.model.hyperparameters
        assert isinstance(numbers, StagedHyperparameters)
        return inner_folds(self.splits, self.cases[0], numbers.inner_folds)

    def _predict(self, cases: Sequence[str], checkpoint: Path) -> None:
        drafts = DraftStore(self.store, self.folder / DRAFTS)
        model = self.model.to(self.options.device)
        if distributed.is_main_process():
            drafts.make(cases, model, checkpoint, self.first, self.options.show_bar)
        distributed.barrier()

    def _train_first(self, folder: Path, cases: tuple[Sequence[str], ...], label: str) -> Path:
        self._trainer(folder, Stage(self.first, label=label, complete=False), cases).run()
        return folder / FINAL

    def _trainer(self, folder: Path, stage: Stage, cases: tuple[Sequence[str], ...] | None = None) -> Trainer:
        training, validation = cases or self.cases
        return Trainer(
            *self.names, self.plans, self.store, (training, validation), folder, self.options, self.origin, stage
        )


def _of_stage(state: Mapping[str, torch.Tensor], stage: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if name.startswith(f"parts.{stage}.")}
