"""The trainer: epochs, checkpoints, log and validation, the same for every method."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ct2pet.checkpoint import load_checkpoint, save_checkpoint
from ct2pet.errors import CheckpointError, TrainingError
from ct2pet.files import remove_partial_files
from ct2pet.models import load_model
from ct2pet.models.base import Model
from ct2pet.planning.plans import Plans
from ct2pet.preprocessing import DistrictStore
from ct2pet.training.augmentation import PairedAugmenter
from ct2pet.training.data_loader import PatchBatch, PatchLoader, default_workers, prefetched
from ct2pet.training.final_validation import FinalValidation
from ct2pet.training.log import Row, TrainingLog
from ct2pet.training.online_validation import OnlineValidation
from ct2pet.training.optimization import Optimization
from ct2pet.training.options import TrainingOptions
from ct2pet.training.record import TrainingRecord, run_with

VALIDATION = "validation"
_LENGTHS = ("num_epochs", "iterations_per_epoch", "decay_epochs")
LATEST, BEST, FINAL = "checkpoint_latest.pth", "checkpoint_best.pth", "checkpoint_final.pth"


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
        _seed(options)
        self.model = model_class(self.configuration, plans.hyperparameters(model_name)).to(self.device)
        self._load({})
        self.trained = _stage_of(self.model, self.stage.name)
        self._count_steps()
        planned, inputs = self.trained.planned, self.stage.inputs or store
        self.augmenter = PairedAugmenter(planned.augmentation, planned.patch_size, planned.spacing)
        self.loader = PatchLoader(
            inputs,
            self.training_cases,
            planned.patch_size,
            planned.batch_size,
            planned.sampling,
            options.seed,
            self.augmenter.margin,
            paired=self.trained.requirements.paired,
        )
        self.online_validation = OnlineValidation(inputs, self.validation_cases or self.training_cases, planned)
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
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_partial_files(self.folder)
        first = self._resume() if self.options.resume else self._start_anew()
        if first < self.num_epochs:
            self.record.save(self.folder)
        with _determinism(self.options.deterministic):
            try:
                for epoch in range(first, self.num_epochs):
                    self._epoch(epoch)
            finally:
                self.log.close()
            if self._epochs_of(FINAL) < self.num_epochs:
                (self.folder / VALIDATION / "summary.json").unlink(missing_ok=True)  # of a shorter training
                self._save(FINAL, max(first, self.num_epochs))
        if (
            self.stage.complete
            and self.options.final_validation
            and not (self.folder / VALIDATION / "summary.json").exists()
        ):
            self.validate()

    def _epochs_of(self, name: str) -> int:
        """After how many epochs a checkpoint was written; 0 where there is none."""
        path = self.folder / name
        return int(load_checkpoint(path)["epoch"]) if path.exists() else 0

    def _start_anew(self) -> int:
        if (self.folder / FINAL).exists():
            raise TrainingError(
                f"{self.folder}: this training is finished; --c goes on with more epochs, --val only validates, and to "
                "train it anew remove the folder"
            )
        for name in (LATEST, BEST, "training_log.csv", "progress.png"):
            (self.folder / name).unlink(missing_ok=True)
        for events in self.folder.glob("events.out.tfevents*"):
            events.unlink()
        return 0

    def _resume(self) -> int:
        """Load the latest checkpoint; returns the epoch to go on with."""
        if not (self.folder / LATEST).exists():
            return self._start_anew()
        content = load_checkpoint(self.folder / LATEST, self.options.device)
        earlier = Plans.from_json(content["plans"], str(self.folder / LATEST))  # older plans lack what has come since
        if self._decisions(earlier.to_json()) != self._decisions(self.plans.to_json()):
            raise CheckpointError(
                f"{self.folder / LATEST}: was trained with other plans than those of today; train anew in another "
                "folder (-p) or bring the old plans back"
            )
        self._load(content["model"])
        self.trained.load_training_state(content.get("training_state", {}))
        self.optimization.load_state(content["optimizers"])
        torch.set_rng_state(content["random"].cpu())
        self.log = TrainingLog(self.folder, content["log"])
        self.best_mae = content["best_mae"]
        self.record.go_on(content.get("provenance"))
        return int(content["epoch"])

    def _load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put ``weights`` into the model, but those of earlier stages as they are today."""
        self.model.load_state_dict({**(weights or self.model.state_dict()), **self.stage.earlier})

    def _decisions(self, plans: dict[str, Any]) -> list[Any]:
        """What must not change between interruption and resumption. The length of the training may."""
        numbers = {name: n for name, n in plans["models"].get(self.model_name, {}).items() if name not in _LENGTHS}
        return [plans["configurations"].get(self.configuration_name), numbers]

    def _epoch(self, epoch: int) -> None:
        started = time.monotonic()
        self.trained.train()
        sums: dict[str, torch.Tensor] = {}
        first = epoch * self.iterations
        for step, batch in enumerate(self._batches(first, epoch), start=first):
            losses = self.optimization.step(self._augmented(batch), step, batch.cases)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value
        row: Row = {"epoch": epoch, "seconds": round(time.monotonic() - started, 2)}
        rate = self.model.hyperparameters.learning_rate * self.optimization.learning_rate_factor(first)
        row["learning_rate"] = rate
        row |= {name: float(value) / self.iterations for name, value in sums.items()}
        row["validation_mae_suv"] = self.online_validation.mae_suv(self.trained, self.device)
        self._finish_epoch(epoch, row)

    def _augmented(self, batch: PatchBatch) -> dict[str, torch.Tensor]:
        """The batch on the device. Metal has no three-dimensional grid_sample for labels: the CPU augments there."""
        device = torch.device("cpu") if self.device.type == "mps" else self.device
        tensors = self.augmenter({name: tensor.to(device) for name, tensor in batch.tensors.items()}, batch.seed)
        return {name: self.trained.flat(tensor.to(self.device)) for name, tensor in tensors.items()}

    def _batches(self, first: int, epoch: int) -> Iterator[PatchBatch]:
        workers = self.options.num_workers
        workers = default_workers(self.device.type) if workers is None else workers
        batches = prefetched(self.loader, range(first, first + self.iterations), workers)
        bar = tqdm(
            batches,
            total=self.iterations,
            desc=f"{self.name} {epoch + 1}/{self.num_epochs}",
            unit="step",
            leave=False,
            disable=not self.options.show_bar,
        )
        if self.log.rows:
            last = self.log.rows[-1]
            bar.set_postfix(
                {name: f"{v:.3g}" for name, v in last.items() if name.startswith(("g_", "d_", "validation"))}
            )
        return iter(bar)

    def _finish_epoch(self, epoch: int, row: Row) -> None:
        """The latest checkpoint comes last: interrupted before it, the epoch is done again and nothing is missing."""
        self.log.add(row)
        self.log.write()
        best = row["validation_mae_suv"] < self.best_mae
        self.best_mae = min(self.best_mae, row["validation_mae_suv"])
        done = epoch + 1
        if best:
            self._save(BEST, done)
        if done % self.options.save_every == 0 or done == self.num_epochs:
            self._save(LATEST, done)

    def _save(self, name: str, epoch: int) -> None:
        content = {
            "model_name": self.model_name,
            "configuration_name": self.configuration_name,
            "plans": self.plans.to_json(),
            "epoch": epoch,
            "model": self.model.state_dict(),
            "optimizers": self.optimization.state(),
            "random": torch.get_rng_state(),
            "log": self.log.rows,
            "best_mae": self.best_mae,
            "provenance": self.record.content,
        }
        if name == LATEST:
            content["training_state"] = self.trained.training_state()
        save_checkpoint(self.folder / name, content)

    def validate(self) -> dict[str, Any]:
        """Predict the validation cases with the final weights into ``validation/`` and write its summary.json."""
        path = self.folder / FINAL
        if not path.exists():
            raise CheckpointError(f"{path}: no such file; the training is not finished (--c goes on with it)")
        self.model.load_state_dict(load_checkpoint(path, self.options.device)["model"])
        validation = FinalValidation(self.model, self.configuration_name, self.configuration, self.store)
        folder = self.folder / VALIDATION
        remove_partial_files(folder)
        cases, record = (self.validation_cases, self.training_cases), self.record.of_validation()
        return validation.run(cases, folder, record, bar=self.options.show_bar)


def _stage_of(model: Model, name: str) -> Model:
    if name not in model.stages:
        raise TrainingError(f"there is no stage {name!r} to train; there are: {', '.join(model.stages)}")
    return model.stages[name]


def _seed(options: TrainingOptions) -> None:
    torch.manual_seed(options.seed)


@contextlib.contextmanager
def _determinism(wanted: bool) -> Iterator[None]:
    """Bit-equal runs: deterministic algorithms only, inside the block."""
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(wanted or before)
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark
