"""The contract between the trainer, the predictor and a method. A method is one file in the folder ``models``.

The file ``models/NAME.py`` defines a subclass of ImageTranslation, PredictionModel, Synthesis or StagedMethod and
assigns it to ``MODEL``; another package may offer one through the entry-point group ``ct2pet.models``.
"""

from ct2pet.models.base.hyperparameters import Hyperparameters, StagedHyperparameters
from ct2pet.models.base.model import Batch, Method, Model, PredictionModel, Synthesis, WeightedMean, frozen
from ct2pet.models.base.staged import StagedMethod
from ct2pet.models.base.translation import ImageTranslation
from ct2pet.models.base.update import Losses, Progress, Update

__all__ = [
    "Batch",
    "Hyperparameters",
    "ImageTranslation",
    "Losses",
    "Method",
    "Model",
    "PredictionModel",
    "Progress",
    "StagedHyperparameters",
    "StagedMethod",
    "Synthesis",
    "Update",
    "WeightedMean",
    "frozen",
]
