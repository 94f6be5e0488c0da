"""LDOS: a low-dose PET to the full-dose PET and to organ labels, by one encoder and two decoders, without a CT.

Ye et al., "Self is the Best Learner: CT-free ultra-low-dose PET organ segmentation via collaborating denoising and
segmentation learning", 2025. What the paper leaves open or what cannot be meant: documentation/explanation/ldos.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch

from ct2pet.dataset import Fields
from ct2pet.dataset.fields import MASK
from ct2pet.errors import PlansError
from ct2pet.losses.denoising_segmentation import averaged_to, denoising_loss, organ_mean_loss, segmentation_loss
from ct2pet.models.base import Batch, Hyperparameters, Losses, PredictionModel, Progress, Update, WeightedMean
from ct2pet.models.base.hyperparameters import POLYNOMIAL
from ct2pet.networks import gaussian_smooth
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import FieldNeeds, NetworkNeed, Requirements
from ct2pet.preprocessing.normalization import from_input, unit_scale
from ct2pet.schema import Count, NotNegative, Positive, Share

ADAM, SGD = "adam", "sgd"
_LEAST_SUVMEAN = 0.1  # the error of an organ without uptake is not divided by almost nothing
_SMOOTHING_VOXELS = 0.85  # standard deviation: 2 voxels FWHM, where a filter alone is best at 5% dose


@dataclass(frozen=True)
class LDOSHyperparameters(Hyperparameters):
    """The loss is phi x (``lambda_denoising`` x L1 in SUV + ``lambda_organ_suv`` x the relative error of the organs'
    SUVmean) + ``lambda_segmentation`` x (cross-entropy + soft Dice); phi is exp(-``denoising_decay`` x the share of the
    training that is done): the paper's exp(-0.002 x epoch) over its 500 epochs. ``rare_label_weight``: how much more
    voxels of rare labels weigh in the cross-entropy, see losses/denoising_segmentation.py. ``residual``: the denoising
    decoder gives what to add to a smoothed low-dose PET, in units of the patch's standard deviation. ``optimizer``:
    ``adam``, or ``sgd`` with Nesterov ``momentum`` and ``weight_decay``, which is nnU-Net's and needs a
    ``learning_rate`` of 1e-2 and longer trainings (documentation/explanation/ldos.md)."""

    num_epochs: Count = 500
    learning_rate: Positive = 3e-3
    beta1: Share = 0.9
    clip_norm: Positive = 12.0
    schedule: str = POLYNOMIAL
    lambda_denoising: NotNegative = 10.0
    lambda_organ_suv: NotNegative = 0.5
    lambda_segmentation: NotNegative = 1.0
    denoising_decay: NotNegative = 1.0
    rare_label_weight: NotNegative = 0.5
    residual: bool = True
    optimizer: str = ADAM
    momentum: Share = 0.99
    weight_decay: NotNegative = 3e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimizer not in (ADAM, SGD):
            raise PlansError(f"the optimizer {self.optimizer!r} does not exist; there are {ADAM} and {SGD}")
        if self.optimizer == SGD and self.momentum == 0:
            raise PlansError(f"the optimizer {SGD} needs a momentum above 0")
        if not self.lambda_denoising + self.lambda_organ_suv + self.lambda_segmentation > 0:
            raise PlansError("LDOS needs a weight (lambda_...) above 0")


class LDOS(PredictionModel):
    """One network for both targets. Without ``lambda_denoising`` it only segments: the paper's rows FDPET and LDPET."""

    Hyperparameters = LDOSHyperparameters
    hyperparameters: LDOSHyperparameters
    requirements = Requirements(
        FieldNeeds(image_inputs=(1, 1), image_targets=(1, 1), label_targets=(1, 1)),
        {"network": NetworkNeed("shared_encoder", separate_outputs=True)},
        dataset_keys=("dose_fraction",),
        hyperparameters=asdict(LDOSHyperparameters()),
    )
    maximize = True

    def build(self, configuration: Configuration, fields: Fields) -> None:
        self.network_of_both = self.network("network")
        self.input = fields.inputs[0]
        self.image = next(one for one in fields.targets if not one.rules.is_labels)
        self.labels = next(one for one in fields.targets if one.rules.is_labels)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        hparams, weights = self.hyperparameters, self.parameters()
        if hparams.optimizer == ADAM:
            return {"network": self.adam(weights)}
        sgd = torch.optim.SGD(
            weights, hparams.learning_rate, hparams.momentum, weight_decay=hparams.weight_decay, nesterov=True
        )
        return {"network": sgd}

    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        hparams = self.hyperparameters
        images, logits = self._scales(batch[self.input.name])
        phi = math.exp(-hparams.denoising_decay * progress.fraction)
        weights = {
            "segmentation": hparams.lambda_segmentation,
            "l1": phi * hparams.lambda_denoising,
            "organ_suv": phi * hparams.lambda_organ_suv,
        }
        weights = {name: weight for name, weight in weights.items() if weight > 0}
        parts: Losses = {name: self._loss(name, images, logits, batch) for name in weights}
        loss = torch.stack([weight * parts[name] for name, weight in weights.items()]).sum()
        yield Update("network", loss, parts)

    def _loss(
        self, name: str, images: Sequence[torch.Tensor], logits: Sequence[torch.Tensor], batch: Batch
    ) -> torch.Tensor:
        """``segmentation`` and ``l1`` (SUV) at all resolutions, or ``organ_suv`` at full resolution."""
        labels, real = batch[self.labels.name], batch[self.image.name]
        if name == "segmentation":
            return segmentation_loss(logits, labels, self.hyperparameters.rare_label_weight)
        scale = unit_scale(self.planned.normalization[self.image.name])
        if name == "l1":
            return scale * denoising_loss(images, real, batch[MASK])
        return organ_mean_loss(images[0], real, labels * batch[MASK], self.labels.num_channels, _LEAST_SUVMEAN / scale)

    def _scales(self, low_dose: torch.Tensor) -> tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]]:
        """The denoised image and the logits at all resolutions that the decoders give, full resolution first."""
        outputs = [scales if isinstance(scales, list) else [scales] for scales in self.network_of_both(low_dose)]
        order = [one.name for one in self.fields.targets]
        images, logits = (outputs[order.index(one.name)] for one in (self.image, self.labels))
        if self.hyperparameters.residual:
            known = from_input(low_dose, self.planned.normalization[self.image.name])
            smoothed, deviation = gaussian_smooth(known, [_SMOOTHING_VOXELS] * (known.ndim - 2)), _deviation(known)
            images = [deviation * image + averaged_to(smoothed, image.shape[2:]) for image in images]
        return images, logits

    def predict(self, inputs: Batch) -> dict[str, torch.Tensor]:
        images, logits = self._scales(inputs[self.input.name])
        return {self.image.name: images[0], self.labels.name: logits[0]}

    @property
    def monitor(self) -> str:
        """The mean soft overlap of the labels, over the patches in which each occurs."""
        return "dice"

    def validation_step(self, batch: Batch) -> dict[str, WeightedMean]:
        found = self.predict(batch)
        labels, mask = batch[self.labels.name], batch[MASK]
        dice = _dice(found[self.labels.name].argmax(1, keepdim=True), labels, self.labels.num_channels)
        error = (found[self.image.name].float() - batch[self.image.name]).abs()[mask]
        scale = unit_scale(self.planned.normalization[self.image.name])
        return {
            "dice": WeightedMean(float(dice.sum()), dice.numel()),
            "mae_suv": WeightedMean(float(error.sum()), error.numel(), scale),
        }


def _deviation(image: torch.Tensor) -> torch.Tensor:
    """The standard deviation of each sample (N, C, 1, ...). Instance norms remove it from the network's features."""
    return image.std(dim=tuple(range(2, image.ndim)), keepdim=True)


def _dice(predicted: torch.Tensor, truth: torch.Tensor, num_classes: int) -> torch.Tensor:
    """The Dice of each label in each sample where the truth holds it."""
    found = []
    for label in range(1, num_classes):
        own, true = (predicted == label).flatten(1), (truth == label).flatten(1)
        present = true.any(1)
        overlap = 2 * (own & true).sum(1) / (own.sum(1) + true.sum(1)).clamp(min=1)
        found.append(overlap[present])
    return torch.cat(found)


MODEL = LDOS
