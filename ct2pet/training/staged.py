"""The trainings of one method on one configuration and fold: one stage, or several with their intermediate
predictions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ct2pet import distributed
from ct2pet.checkpoint import load_checkpoint
from ct2pet.dataset.splits import inner_folds
from ct2pet.errors import TrainingError
from ct2pet.layout import CHECKPOINT_FINAL, CHECKPOINT_LATEST
from ct2pet.models.base import Method, PredictionModel, StagedMethod
from ct2pet.preprocessing import DistrictStore
from ct2pet.training.drafts import DraftStore
from ct2pet.training.record import recorded_start
from ct2pet.training.run import TrainingRun
from ct2pet.training.stage import Stage
from ct2pet.training.trainer import Trainer

_log = logging.getLogger(__name__)
DRAFTS = "drafts"
Weights = Mapping[str, torch.Tensor]


def train(run: TrainingRun) -> None:
    """Train all stages of a run, and validate at the end as Trainer does; see there.

    A method of one stage is trained by one Trainer. With several stages, each stage except the last is trained into
    ``folder/STAGE``. The next stage must be trained on predictions for cases that were not used for training the stage,
    so that trainings of the stage with a part of the training cases each (``folder/STAGE/inner_0``, ...;
    dataset.splits.inner_folds) predict the others, into ``folder/STAGE/drafts``. The last stage is trained into
    ``folder`` itself; its checkpoints contain all stages. All trainings have the length of the options or the plans.

    An interrupted run continues with ``resume``.
    """
    _check_initial_weights(run)
    run = run.with_present_cases()
    method = run.build()
    names = list(method.stages)
    inputs: DistrictStore = run.store
    earlier: Weights = {}
    seen = ""
    learned: dict[str, str] = {}
    for name in names[:-1]:
        assert isinstance(method, StagedMethod)
        stage = _EarlierStage(run, name, inputs, earlier)
        inputs, said = stage.train(method)
        weights, cases = stage.result()
        earlier, seen, learned = {**earlier, **weights}, f"{seen} {cases}", {**learned, name: said}
        method = run.build()
    run = _with_origin(run, learned)
    Trainer(run, method, Stage(names[-1], inputs, earlier, seen)).run()


def validate(run: TrainingRun) -> dict[str, Any]:
    """As Trainer.validate, with all stages."""
    run, method = run.with_present_cases(), run.build()
    return Trainer(run, method, Stage(list(method.stages)[-1], run.store)).validate()


def _check_initial_weights(run: TrainingRun) -> None:
    """Raises TrainingError where a training that began with initial weights would continue without them although a
    stage of it must still begin."""
    last_began = any((run.folder / name).exists() for name in (CHECKPOINT_LATEST, CHECKPOINT_FINAL))
    if last_began or not run.options.resume or run.options.pretrained_weights is not None:
        return
    if "pretrained_weights" in recorded_start(run.folder):
        raise TrainingError(
            f"{run.folder}: this training began with initial weights, which it still needs; name them again "
            "(-pretrained_weights), or repeat the training (--overwrite)"
        )


def _with_origin(run: TrainingRun, learned: Mapping[str, str]) -> TrainingRun:
    facts = {"stages_learn_from": dict(learned)} if learned else {}
    return replace(run, origin={**run.origin, **facts})


class _EarlierStage:
    """The training of a stage before the last: the stage itself, and the predictions for training the next one.

    ``inputs``: the cases with the inputs of this stage. ``earlier``: the weights of the earlier stages.
    """

    def __init__(self, run: TrainingRun, name: str, inputs: DistrictStore, earlier: Weights) -> None:
        self.run, self.name, self.inputs, self.earlier = run, name, inputs, earlier
        self.folder = run.folder / name

    def train(self, method: StagedMethod) -> tuple[DraftStore, str]:
        """Train the stage and predict all cases; returns the predictions, and a text on the next stage's training data.

        Training cases are predicted by trainings without them, the others by the stage itself.
        """
        checkpoint = self._train(method, self.run.of(self.run.training_cases, self.run.validation_cases, self.folder))
        drafts = DraftStore(self.inputs, self.folder / DRAFTS, self._stage(method))
        training = list(self.run.training_cases)
        parts = inner_folds(self.run.splits, training, method.hyperparameters.inner_folds)
        if len(parts) < 2:
            parts, said = [], "predictions of cases that the stage was trained with"
            _log.warning(
                "%s: the next stage is trained on %s, which are better than those at prediction", self.folder, said
            )
            self._predict(drafts, training, method, checkpoint)
        else:
            said = f"predictions of cases left out of {len(parts)} inner trainings"
        rest = [case for case in self.run.validation_cases if case not in {*training}]
        self._predict(drafts, rest, method, checkpoint)
        for number, part in enumerate(parts):
            self._train_inner(drafts, number, part, len(parts))
        return drafts, said

    def result(self) -> tuple[Weights, str]:
        """The trained weights of the stage, on the CPU, and the digests of the cases that they were trained with."""
        content = load_checkpoint(self.folder / CHECKPOINT_FINAL)
        weights = {name: one for name, one in content["model"].items() if name.startswith(f"parts.{self.name}.")}
        return weights, (content.get("provenance") or {}).get("training_cases") or ""

    def _train_inner(self, drafts: DraftStore, number: int, part: Sequence[str], count: int) -> None:
        others = [case for case in self.run.training_cases if case not in part]
        inner = self.run.of(others, part, self.folder / f"inner_{number}")
        method = self.run.build()
        checkpoint = self._train(method, inner, f" inner {number + 1}/{count}")
        self._predict(drafts, part, method, checkpoint)

    def _train(self, method: Method, run: TrainingRun, label: str = "") -> Path:
        Trainer(run, method, Stage(self.name, self.inputs, self.earlier, label=label, complete=False)).run()
        return run.folder / CHECKPOINT_FINAL

    def _predict(self, drafts: DraftStore, cases: Sequence[str], method: Method, checkpoint: Path) -> None:
        if distributed.is_main_process():
            drafts.make(cases, method, self.name, checkpoint, self.run.options.show_progress)
        distributed.barrier()

    def _stage(self, method: StagedMethod) -> PredictionModel:
        return method.stages[self.name]
