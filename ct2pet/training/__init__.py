"""Training: one trainer for all methods."""

from ct2pet.training.options import TrainingOptions
from ct2pet.training.run import TrainingRun
from ct2pet.training.stage import Stage
from ct2pet.training.staged import train, validate
from ct2pet.training.trainer import Trainer

__all__ = ["Stage", "Trainer", "TrainingOptions", "TrainingRun", "train", "validate"]
