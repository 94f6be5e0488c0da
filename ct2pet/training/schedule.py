"""The length of a training and its learning rates."""

from __future__ import annotations

from dataclasses import dataclass

from ct2pet.models.base import Hyperparameters, Progress
from ct2pet.models.base.hyperparameters import POLYNOMIAL
from ct2pet.training.options import TrainingOptions

_POWER = 0.9  # of nnU-Net's polynomial schedule


@dataclass(frozen=True)
class Schedule:
    """``num_epochs`` of ``iterations`` steps; the learning rates decrease over the last ``decay_steps`` (linear), or
    over all epochs (``polynomial``)."""

    num_epochs: int
    iterations: int
    decay_steps: int
    polynomial: bool = False

    @classmethod
    def of(cls, hparams: Hyperparameters, options: TrainingOptions) -> Schedule:
        """The schedule of a method's parameters, or of the user's. The decay of a shorter training is shortened in
        proportion."""
        num_epochs = options.num_epochs or hparams.num_epochs
        iterations = options.iterations_per_epoch or hparams.iterations_per_epoch
        decay_epochs = hparams.decay_epochs * num_epochs / hparams.num_epochs
        decay_steps = max(1, round(decay_epochs * iterations))
        return cls(num_epochs, iterations, decay_steps, hparams.schedule == POLYNOMIAL)

    @property
    def total_steps(self) -> int:
        return self.num_epochs * self.iterations

    def steps_of(self, epoch: int) -> range:
        """The numbers of the steps of an epoch."""
        return range(epoch * self.iterations, (epoch + 1) * self.iterations)

    def progress(self, step: int) -> Progress:
        """The position of step number ``step`` (0, 1, ...) in the training."""
        return Progress(step // self.iterations, step, step / self.total_steps)

    def learning_rate_factor(self, step: int) -> float:
        """The factor of the learning rates in step number ``step``."""
        if self.polynomial:
            return max(0.0, 1 - (step // self.iterations) / self.num_epochs) ** _POWER
        return min(1.0, (self.total_steps - step) / self.decay_steps)
