"""The trainer: epochs, checkpoints, log and validation, the same for every method."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ct2pet import distributed
from ct2pet.checkpoint import moved
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.files import remove_partial_files
from ct2pet.models import load_model
from ct2pet.models.base import Model
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing import DistrictStore
from ct2pet.training.augmentation import PairedAugmenter
from ct2pet.training.average import WeightAverage
from ct2pet.training.checkpoints import BEST, FINAL, LATEST, Checkpoints
from ct2pet.training.compilation import compile_networks
from ct2pet.training.data_loader import PatchLoader
from ct2pet.training.determinism import determinism
from ct2pet.training.final_validation import FinalValidation
from ct2pet.training.log import Row, TrainingLog
from ct2pet.training.loop import TrainingLoop
from ct2pet.training.online_validation import OnlineValidation
from ct2pet.training.optimization import Optimization
from ct2pet.training.options import TrainingOptions
from ct2pet.training.pretraining import find_checkpoint, take_weights
from ct2pet.training.record import TrainingRecord, run_with

VALIDATION = "validation"


@dataclass(frozen=True)
class Stage:
    """What of a method a Trainer trains; see training.staged. ``inputs``: the cases as this stage sees them (None: as
    the store holds them). ``earlier``: the weights of the stages before. ``complete``: whether this is the last one,
    so that the method can be validated."""

    name: str = "main"
    inputs: DistrictStore | None = None
    earlier: Mapping[str, torch.Tensor] = field(default_factory=dict)
    label: str = ""
    complete: bool = True


class Trainer:
    """Trains ``model_name`` on one configuration and one fold, into ``folder``.

    ``cases`` are the training cases and the validation cases; those without the district are left out. ``origin`` is
    added to the provenance. Checkpoints hold the whole model; what is trained is its ``stage``.
    Raises TrainingError where no training case is left or the method asks for what this trainer cannot do.
    """

    def __init__(
        self,
        model_name: str,
        configuration_name: str,
        plans: Plans,
        store: DistrictStore,
        cases: tuple[Sequence[str], Sequence[str]],
        folder: Path,
        options: TrainingOptions,
        origin: Mapping[str, Any] | None = None,
        stage: Stage | None = None,
    ) -> None:
        self.stage = stage or Stage()
        self.model_name, self.configuration_name, self.plans = model_name, configuration_name, plans
        self.store, self.folder, self.options = store, folder, options
        self.configuration = plans.configuration(configuration_name)
        self.device = torch.device(options.device)
        present = set(store.cases)
        self.training_cases, self.validation_cases = ([c for c in part if c in present] for part in cases)

        model_class = load_model(model_name)
        torch.manual_seed(options.seed)
        self.model = model_class(self.configuration, plans.hyperparameters(model_name)).to(self.device)
        self._load({})
        self.trained = _stage_of(self.model, self.stage.name)
        if options.compile:
            compile_networks(self.trained, self.device)
        self._count_steps()
        planned, inputs = self.trained.planned, self.stage.inputs or store
        self.augmenter = PairedAugmenter(planned.augmentation, planned.patch_size, planned.spacing)
        batch_size = planned.batch_size * self.model.hyperparameters.accumulate_batches
        self.loader = PatchLoader(
            inputs,
            self.training_cases,
            planned.patch_size,
            batch_size,
            planned.sampling,
            options.seed,
            self.augmenter.margin,
            paired=self.trained.requirements.paired,
            share=distributed.batch_share(batch_size),
        )
        self.online_validation = OnlineValidation(inputs, self.validation_cases or self.training_cases, planned)
        self.average = WeightAverage(self.model, self.model.hyperparameters.ema_decay)
        self.loop = TrainingLoop(self.loader, self.augmenter, self.optimization, self.average, options.num_workers)
        self.checkpoints = Checkpoints(folder, model_name, configuration_name, plans)
        self.log = TrainingLog(folder)
        self.best_mae = float("inf")
        run = run_with(options, self.num_epochs, self.iterations)
        self.record = TrainingRecord(model_name, configuration_name, plans, self.training_cases, run)
        self.record.content |= origin or {}

    def _count_steps(self) -> None:
        numbers = self.model.hyperparameters
        self.num_epochs = self.options.num_epochs or numbers.num_epochs
        self.iterations = self.options.iterations_per_epoch or numbers.iterations_per_epoch
        decay_epochs = numbers.decay_epochs * self.num_epochs / numbers.num_epochs  # a shorter run decays in proportion
        total = self.num_epochs * self.iterations
        self.optimization = Optimization(self.trained, self.device, total, round(decay_epochs * self.iterations))

    @property
    def name(self) -> str:
        of_several = [self.stage.name] if len(self.model.stages) > 1 else []
        return " ".join([self.model_name, self.configuration_name, *of_several]) + self.stage.label

    def run(self) -> None:
        """Train until the last epoch; write checkpoints, log and, at the end, the validation.

        Interrupted at any time and run again with ``resume``, it loses at most the epoch under way and ends with the
        weights of an uninterrupted run. Raises TrainingError on losses that are not finite.
        """
        if distributed.is_main_process():
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_partial_files(self.folder)
        first = self._resume() if self.options.resume else self._start_anew()
        self._check_common_start(first)
        if first < self.num_epochs and distributed.is_main_process():
            self.record.save(self.folder)
            self._tell(f"{self.name}: epochs {first + 1} to {self.num_epochs} on {self.options.device}")
        with determinism(self.options.deterministic):
            try:
                done = self._epochs(first)
            finally:
                self.log.close()
            if distributed.is_main_process() and self.checkpoints.epochs_of(FINAL) != done:
                (self.folder / VALIDATION / "summary.json").unlink(missing_ok=True)  # of a shorter training
                self._save(FINAL, done)
        validated = distributed.broadcast_object((self.folder / VALIDATION / "summary.json").exists())
        if self.stage.complete and self.options.final_validation and not validated:
            self.validate()

    def _epochs(self, first: int) -> int:
        """Train; returns the number of epochs after which the training ends."""
        for epoch in range(first, self.num_epochs):
            if self._stalled():
                best = self.log.best
                _say(
                    f"{self.name}: stopped early after {epoch} of {self.num_epochs} epochs; the best validation MAE, "
                    f"{best['validation_mae_suv']:.4g} SUV, is of epoch {best['epoch'] + 1}"
                )
                return epoch
            self._epoch(epoch)
        return max(first, self.num_epochs)

    def _stalled(self) -> bool:
        return self.options.early_stop is not None and self.log.epochs_since_best >= self.options.early_stop

    def _tell(self, text: str) -> None:
        if self.options.show_lines:
            _say(text)

    def _check_common_start(self, epoch: int) -> None:
        """Raises TrainingError where several processes would not begin with the same weights."""
        if distributed.world_size() == 1:
            return
        weights = sum(float(tensor.double().sum()) for tensor in self.model.state_dict().values())
        if len({*distributed.all_gather_object((epoch, weights))}) > 1:
            raise TrainingError(
                f"{self.folder}: the processes begin with different checkpoints; ct2pet_results must be a folder that "
                "all machines share"
            )

    def _start_anew(self) -> int:
        self.checkpoints.clear()
        if self.options.pretrained_weights is not None:
            source, said = take_weights(self.model, find_checkpoint(self.options.pretrained_weights))
            self._load({})
            self.average.restart()
            self.record.begin_with(source)
            _say(f"{self.name}: {said}")
        return 0

    def _resume(self) -> int:
        """Load the latest checkpoint; returns the epoch to go on with."""
        if not self.checkpoints.exists(LATEST):
            return self._start_anew()
        content = self.checkpoints.load(LATEST)  # optimizers take their states from the CPU: some stay there
        self._load(content["model"])
        self.trained.load_training_state(moved(content.get("training_state", {}), self.device))
        self.average.load(content.get("average", {}))
        self.optimization.load_state(content)
        torch.set_rng_state(content["random"].cpu())
        self.log = TrainingLog(self.folder, content["log"])
        self.best_mae = content["best_mae"]
        self.record.go_on(content.get("provenance"))
        return int(content["epoch"])

    def _load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put ``weights`` into the model, but those of earlier stages as they are today."""
        self.model.load_state_dict({**(weights or self.model.state_dict()), **self.stage.earlier})

    def _epoch(self, epoch: int) -> None:
        started = time.monotonic()
        first = epoch * self.iterations
        with self._bar(epoch) as bar:
            losses = self.loop.run(range(first, first + self.iterations), bar)
        row: Row = {"epoch": epoch, "seconds": round(time.monotonic() - started, 2)}
        rate = self.model.hyperparameters.learning_rate * self.optimization.learning_rate_factor(first)
        row |= {"learning_rate": rate, **losses}
        with self.average.in_place(), self.optimization.precision.autocast():
            row["validation_mae_suv"] = self.online_validation.mae_suv(self.trained, self.device)
        self._finish_epoch(epoch, row)

    def _bar(self, epoch: int) -> tqdm:
        last = self.log.rows[-1] if self.log.rows else {}
        return tqdm(
            total=self.iterations,
            desc=f"{self.name} {epoch + 1}/{self.num_epochs}",
            unit="step",
            leave=False,
            disable=not self.options.show_bar,
            postfix={name: f"{v:.3g}" for name, v in last.items() if name.startswith(("g_", "d_", "validation"))},
        )

    def _finish_epoch(self, epoch: int, row: Row) -> None:
        """The latest checkpoint comes last: interrupted before it, the epoch is done again and nothing is missing."""
        self.log.add(row)
        if distributed.is_main_process():
            self.log.write()
        best = row["validation_mae_suv"] < self.best_mae
        self.best_mae = min(self.best_mae, row["validation_mae_suv"])
        done = epoch + 1
        if best:
            self._save(BEST, done)
        if done % self.options.save_every == 0 or done == self.num_epochs or self._stalled():
            self._save(LATEST, done)
        told = ", ".join(f"{name} {row[name]:.3g}" for name in row if name != "epoch")
        self._tell(f"{self.name} {done}/{self.num_epochs}: {told}")
        distributed.barrier()

    def _save(self, name: str, epoch: int) -> None:
        content: dict[str, Any] = {"log": self.log.rows, "best_mae": self.best_mae, "provenance": self.record.content}
        if name == LATEST:
            content |= self._state()
        else:
            content["model"] = self.average.weights()
        self.checkpoints.save(name, epoch, content)

    def _state(self) -> dict[str, Any]:
        """All that a training needs to go on."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.averages,
            "training_state": self.trained.training_state(),
            "random": torch.get_rng_state(),
            **self.optimization.state(),
        }

    def validate(self) -> dict[str, Any]:
        """Predict the validation cases with the final weights into ``validation/`` and write its summary.json."""
        if not self.checkpoints.exists(FINAL):
            raise CheckpointError(
                f"{self.folder / FINAL}: no such file; the training is not finished (--c goes on with it)"
            )
        self.model.load_state_dict(self.checkpoints.load(FINAL)["model"])
        validation = FinalValidation(self.model, self.configuration_name, self.configuration, self.store)
        folder = self.folder / VALIDATION
        if distributed.is_main_process():
            remove_partial_files(folder)
        distributed.barrier()
        cases, record = (self.validation_cases, self.training_cases), self.record.of_validation()
        return validation.run(cases, folder, record, bar=self.options.show_bar)


def _say(text: str) -> None:
    if distributed.is_main_process():
        tqdm.write(text, file=sys.stderr)


def _stage_of(model: Model, name: str) -> Model:
    if name not in model.stages:
        raise TrainingError(f"there is no stage {name!r} to train; there are: {', '.join(model.stages)}")
    return model.stages[name]
