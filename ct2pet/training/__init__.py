"""One trainer for all methods."""

from ct2pet.training.options import TrainingOptions
from ct2pet.training.staged import StagedTraining
from ct2pet.training.trainer import Trainer

__all__ = ["StagedTraining", "Trainer", "TrainingOptions"]
