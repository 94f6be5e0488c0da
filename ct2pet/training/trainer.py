"""The trainer: epochs, checkpoints, log and validation, the same for every method."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ct2pet import distributed
from ct2pet.checkpoint import moved
from ct2pet.console import say
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.files import remove_partial_files
from ct2pet.layout import CHECKPOINT_BEST, CHECKPOINT_FINAL, CHECKPOINT_LATEST, SUMMARY, VALIDATION, VALIDATION_BEST
from ct2pet.models.base import Method, PredictionModel, Synthesis
from ct2pet.training.augmentation import Augmenter
from ct2pet.training.average import WeightAverage
from ct2pet.training.checkpoints import Checkpoints
from ct2pet.training.compilation import compile_networks
from ct2pet.training.data_loader import BatchPlan, PatchLoader
from ct2pet.training.determinism import determinism, random_state, set_random_state
from ct2pet.training.display import TrainingDisplay
from ct2pet.training.final_validation import FinalValidation
from ct2pet.training.initial_weights import InitialWeightsDecay
from ct2pet.training.log import VALIDATION as METRIC
from ct2pet.training.log import Monitor, Row, TrainingLog
from ct2pet.training.loop import TrainingLoop
from ct2pet.training.online_validation import OnlineValidation
from ct2pet.training.optimization import Optimization
from ct2pet.training.pretraining import check_outside, find_checkpoint, take_weights
from ct2pet.training.record import TrainingRecord
from ct2pet.training.run import TrainingRun
from ct2pet.training.schedule import Schedule
from ct2pet.training.stage import Stage, stage_of


class Trainer:
    """Trains one stage of ``method``, which was built by ``run``, on one configuration and one fold.

    Checkpoints contain the whole method; only the trained part is on the device. Raises TrainingError where no training
    case is left or the method is not supported.
    """

    def __init__(self, run: TrainingRun, method: Method, stage: Stage | None = None) -> None:
        self.settings, self.method = run, method
        self.stage = stage or Stage(next(iter(method.stages)), run.store)
        self.options, self.device = run.options, run.device
        self.model = stage_of(method, self.stage.name).to(self.device)
        self._load({})
        hparams, planned = self.model.hyperparameters, self.model.planned
        self.schedule = Schedule.of(hparams, self.options)
        self.optimization = Optimization(self.model, self.device, self.schedule)
        if self.options.compile:
            self.optimization.before_step = compile_networks(self.model, self.device)
        augmenter = Augmenter(planned, self.model.fields)
        batch_size = planned.batch_size * hparams.accumulate_batches
        plan = BatchPlan(
            batch_size,
            self.options.seed,
            augmenter.margin,
            augmenter.margin_of,
            paired=self.model.requirements.paired,
            with_lesions=self.model.requirements.needs_lesions,
            share=distributed.batch_share(batch_size),
        )
        loader = PatchLoader(self.stage.inputs, run.training_cases, planned, self.model.fields, plan)
        if isinstance(self.model, Synthesis):
            loader.check_classes()
        if self.model.requirements.needs_lesions:
            loader.check_lesions(self.name)
        self.online_validation = OnlineValidation(
            self.stage.inputs, run.validation_cases or run.training_cases, self.model
        )
        self.average = WeightAverage(method, hparams.ema_decay)
        self.initial_weights = InitialWeightsDecay(method, hparams.initial_weights_decay, len(run.training_cases))
        self.loop = TrainingLoop(loader, augmenter, self.optimization, self._after_step, self.options.num_workers)
        self.checkpoints = Checkpoints(run)
        self.monitor = Monitor(f"{METRIC}{self.model.monitor}", self.model.maximize)
        self.log = TrainingLog(run.folder, self.monitor)
        self.best = self.monitor.worst
        self.record = TrainingRecord(run, self.schedule)
        self.record.add_cases(self.stage.seen)
        shown = self.options.show_progress and distributed.is_main_process()
        self.display = TrainingDisplay(self.name, self.schedule, self.monitor, self.options.device, shown)

    @property
    def folder(self) -> Path:
        return self.settings.folder

    @property
    def name(self) -> str:
        of_several = [self.stage.name] if len(self.method.stages) > 1 else []
        return " ".join([self.settings.model_name, self.settings.configuration_name, *of_several]) + self.stage.label

    def run(self) -> None:
        """Train until the last epoch; write checkpoints, log and, at the end, the validation.

        An interrupted run that continues with ``resume`` loses at most the current epoch and ends with the weights of
        an uninterrupted run. Raises TrainingError on losses that are not finite.
        """
        if distributed.is_main_process():
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_partial_files(self.folder)
        first = self._resume() if self.options.resume else self._start_anew()
        if self.record.has_initial_weights:
            self.optimization.rate_scale = self.model.hyperparameters.fine_tuning_factor
        self._check_common_start(first)
        if first < self.schedule.num_epochs and distributed.is_main_process():
            self.record.save(self.folder)
            self.display.start(first, self.folder)
        with determinism(self.options.deterministic):
            try:
                with self.display.live(first):
                    done = self._epochs(first)
            finally:
                self.log.close()
            if distributed.is_main_process() and self.checkpoints.epochs_of(CHECKPOINT_FINAL) != done:
                for folder in (VALIDATION, VALIDATION_BEST):  # of a shorter training
                    (self.folder / folder / SUMMARY).unlink(missing_ok=True)
                self._save(CHECKPOINT_FINAL, done)
                if not self.options.checkpointing:
                    self.checkpoints.remove_older(CHECKPOINT_LATEST, done)
        if distributed.is_main_process():
            self.display.finished(self.log)
        summary = self.folder / self.options.validation_folder / SUMMARY
        validated = distributed.broadcast_object(summary.exists())
        if self._validates and not validated:
            self.validate()

    @property
    def _validates(self) -> bool:
        """Whether whole cases are predicted at the end; not with a method without input images."""
        return self.stage.complete and self.options.final_validation and isinstance(self.model, PredictionModel)

    def _epochs(self, first: int) -> int:
        """Train; returns the number of epochs after which the training ends."""
        for epoch in range(first, self.schedule.num_epochs):
            if self._stalled():
                if distributed.is_main_process():
                    self.display.stopped_early(epoch, self.log)
                return epoch
            self._epoch(epoch)
        return max(first, self.schedule.num_epochs)

    def _stalled(self) -> bool:
        return self.options.early_stop is not None and self.log.epochs_since_best >= self.options.early_stop

    def _check_common_start(self, epoch: int) -> None:
        """Raises TrainingError where several processes would not start with the same weights."""
        if distributed.world_size() == 1:
            return
        weights = sum(float(tensor.double().sum()) for tensor in self.method.state_dict().values())
        if len({*distributed.all_gather_object((epoch, weights))}) > 1:
            raise TrainingError(
                f"{self.folder}: the processes start with different checkpoints; ct2pet_results must be a folder that "
                "all machines share"
            )

    def _start_anew(self) -> int:
        weights = self.options.pretrained_weights
        start = None if weights is None else find_checkpoint(weights, self.settings.configuration_name)
        if start is not None:
            check_outside(start, self.folder)
        self.checkpoints.clear()
        if start is not None:
            source, said = take_weights(self.method, start)
            self._load({})
            self.average.restart()
            self.initial_weights.begin(source["networks"])
            self.record.begin_with(source)
            if distributed.is_main_process():
                say(f"{self.name}: {said}{self._fine_tuning_text()}")
        return 0

    def _fine_tuning_text(self) -> str:
        factor, decay = self.model.hyperparameters.fine_tuning_factor, self.initial_weights.decay
        rates = f"; learning rates: {factor:g} of those of the plans (fine_tuning_factor)" if factor != 1 else ""
        pull = f"; weight decay towards the initial weights: {decay:.3g} (initial_weights_decay / training cases)"
        return rates + (pull if decay > 0 else "")

    def _after_step(self, step: int) -> None:
        self.initial_weights.update(self.optimization.optimizers.values())
        self.average.update(step)

    def _resume(self) -> int:
        """Load the latest checkpoint, or the final one of a training that wrote no others; returns the epoch to
        continue with. Raises TrainingError where only the final one exists and epochs are missing."""
        name = next(filter(self.checkpoints.exists, (CHECKPOINT_LATEST, CHECKPOINT_FINAL)), None)
        if name is None:
            return self._start_anew()
        content = self.checkpoints.load(name)
        if self.record.has_other_cases(content):
            self._continue_with_other_cases(content["epoch"])
        self._load(content["model"])
        self.log = TrainingLog(self.folder, self.monitor, content["log"])
        self.best = content["best"]
        self.record.go_on(content.get("provenance"))
        if name == CHECKPOINT_LATEST:
            self._load_state(content)
        elif content["epoch"] < self.schedule.num_epochs and not self._stalled():
            raise TrainingError(
                f"{self.folder}: finished after {content['epoch']} epochs without {CHECKPOINT_LATEST}, which more "
                "epochs need; --overwrite repeats the training"
            )
        return int(content["epoch"])

    def _continue_with_other_cases(self, epoch: int) -> None:
        """Say so. Raises TrainingError for a stage from whose predictions the next one learns."""
        if not self.stage.complete:
            raise TrainingError(
                f"{self.folder}: this part of the training had other training cases; restore the folds "
                "(splits_final.json), or repeat the training (--overwrite)"
            )
        if epoch < self.schedule.num_epochs and distributed.is_main_process():
            say(f"{self.name}: continues with other training cases than before; the provenance names all of them")

    def _load_state(self, content: Mapping[str, Any]) -> None:
        """What ``_state`` returned. Optimizers load their states from the CPU, and some states remain there."""
        self.model.load_training_state(moved(content.get("training_state", {}), self.device))
        self.average.load(content.get("average", {}))
        self.initial_weights.load(content.get("initial_weights", {}))
        self.optimization.load_state(content)
        set_random_state(content, self.device)

    def _load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Load ``weights`` into the method, with the current weights of earlier stages."""
        self.method.load_state_dict({**(weights or self.method.state_dict()), **self.stage.earlier})

    def _epoch(self, epoch: int) -> None:
        started = time.monotonic()
        steps = self.schedule.steps_of(epoch)
        losses = self.loop.run(steps, self.display.step)
        row: Row = {"epoch": epoch, "seconds": round(time.monotonic() - started, 2)}
        rate = self.model.hyperparameters.learning_rate * self.optimization.rate_factor(steps.start)
        row |= {"learning_rate": rate, **losses}
        with self.average.in_place(), self.optimization.precision.autocast():
            metrics = self.online_validation.metrics(self.model, self.device)
        row |= {f"{METRIC}{name}": value for name, value in metrics.items()}
        self._finish_epoch(epoch, row)

    def _finish_epoch(self, epoch: int, row: Row) -> None:
        """The latest checkpoint is written last: after an interruption before it, the epoch is repeated completely."""
        self.log.add(row)
        if distributed.is_main_process():
            self.log.write()
        value = row[self.monitor.column]
        best = self.monitor.rank(value) < self.monitor.rank(self.best)
        self.best = value if best else self.best
        done = epoch + 1
        if best:
            self._save(CHECKPOINT_BEST, done)
        if done % self.options.save_every == 0 or done == self.schedule.num_epochs or self._stalled():
            self._save(CHECKPOINT_LATEST, done)
        self.display.epoch(row, self.log, best)
        distributed.barrier()

    def _save(self, name: str, epoch: int) -> None:
        if name != CHECKPOINT_FINAL and not self.options.checkpointing:
            return
        content: dict[str, Any] = {"log": self.log.rows, "best": self.best, "provenance": self.record.content}
        content["training_cases"] = self.record.own_cases
        if name == CHECKPOINT_LATEST:
            content |= self._state()
        else:
            content["model"] = self.average.weights()
        self.checkpoints.save(name, epoch, content)

    def _state(self) -> dict[str, Any]:
        """The state that a training needs to continue."""
        return {
            "model": self.method.state_dict(),
            "average": self.average.averages,
            "initial_weights": self.initial_weights.initial,
            "training_state": self.model.training_state(),
            **random_state(self.device),
            **self.optimization.state(),
        }

    def validate(self) -> dict[str, Any]:
        """Predict the validation cases with the final weights (or those of the best epoch, see TrainingOptions) into
        ``validation`` (``validation_best``) and write its summary.json."""
        checkpoint = self.options.validated_checkpoint
        if not self.checkpoints.exists(checkpoint):
            raise CheckpointError(
                f"{self.folder / checkpoint}: no such file; the training is not finished (--c continues it)"
            )
        if not isinstance(self.model, PredictionModel):
            raise TrainingError(f"{self.name} predicts no cases and cannot be validated; see ct2pet_synthesize")
        content = self.checkpoints.load(checkpoint)
        self.method.load_state_dict(content["model"])
        self.record.take_over(content.get("provenance"))
        validation = FinalValidation(self.settings, self.method.to(self.device))
        if distributed.is_main_process():
            remove_partial_files(self.folder / self.options.validation_folder)
        distributed.barrier()
        return validation.run(self.record.of_validation(), self.record.seen_cases)
