"""Methods that translate input images (a CT, say) into one target image (a PET)."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch

from ct2pet.dataset.fields import MASK, Field
from ct2pet.errors import PlansError
from ct2pet.models.base.model import Batch, PredictionModel, WeightedMean
from ct2pet.preprocessing.normalization import unit_scale

DISTRICT, PATCH = "district", "patch"  # the voxels that a loss counts
_OTHER_PLACE = "target_mask"  # of unpaired batches: the district where the target's patch comes from


def check_region(region: str) -> None:
    """Raise PlansError where a loss cannot count these voxels."""
    if region not in (DISTRICT, PATCH):
        raise PlansError(f"the loss_region {region!r} does not exist; there are {DISTRICT} and {PATCH}")


class Images(NamedTuple):
    """A batch of image translation: ``inputs`` (N, channels, *space), ``target`` and ``mask`` (N, 1, *space).
    ``target_mask`` is the mask of the target, which in unpaired batches comes from another place."""

    inputs: torch.Tensor
    target: torch.Tensor
    mask: torch.Tensor
    target_mask: torch.Tensor

    def everywhere(self) -> Images:
        """The same with masks that are true in all voxels."""
        return self._replace(mask=torch.ones_like(self.mask), target_mask=torch.ones_like(self.target_mask))


class ImageTranslation(PredictionModel):
    """Input images to one target image: subclasses implement ``translate``."""

    @abstractmethod
    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalised inputs (N, channels, *space) to the normalised target (N, 1, *space)."""

    @property
    def target(self) -> Field:
        """What is predicted."""
        return self.fields.targets[0]

    def images(self, batch: Batch) -> Images:
        """The batch with all inputs as channels of one tensor."""
        mask = batch[MASK]
        return Images(self._stacked(batch), batch[self.target.name], mask, batch.get(_OTHER_PLACE, mask))

    def images_in(self, batch: Batch, region: str) -> Images:
        """As ``images``, with masks of the voxels that a loss counts: DISTRICT, or PATCH for all, where those outside
        the district have the value that they were masked with."""
        images = self.images(batch)
        return images.everywhere() if region == PATCH else images

    def _stacked(self, batch: Batch) -> torch.Tensor:
        inputs = [batch[field.name] for field in self.fields.inputs]
        return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=1)

    def predict(self, inputs: Batch) -> dict[str, torch.Tensor]:
        return {self.target.name: self.translate(self._stacked(inputs))}

    @property
    def monitor(self) -> str:
        """The mean absolute error inside the district: ``mae_suv`` of a PET, ``mae_hu`` of a CT."""
        return f"mae_{self.target.rules.unit.lower()}"

    def validation_step(self, batch: Batch) -> dict[str, WeightedMean]:
        images = self.images(batch)
        fake, real, mask = (image.cpu() for image in (self.translate(images.inputs).float(), *images[1:3]))
        total, count = float((fake - real).abs()[mask].sum()), int(mask.sum())
        return {self.monitor: WeightedMean(total, count, unit_scale(self.planned.normalization[self.target.name]))}
