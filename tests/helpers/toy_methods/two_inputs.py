"""Two input images (a CT and a low-dose PET) and one output."""

import torch

from ct2pet.losses import masked_l1
from ct2pet.models.base import ImageTranslation, Update
from ct2pet.networks import zero_init_last_layer
from ct2pet.planning.requirements import FieldNeeds, NetworkNeed, Requirements


class TwoInputs(ImageTranslation):
    """A network that says what to add to the second input."""

    requirements = Requirements(FieldNeeds(image_inputs=(2, 2)), {"generator": NetworkNeed()})

    def build(self, configuration, fields):
        self.generator = zero_init_last_layer(self.network("generator"))

    def optimizers(self):
        return {"generator": self.adam(self.generator.parameters())}

    def training_step(self, batch, progress):
        inputs, target, mask, _ = self.images(batch)
        loss = masked_l1(self.translate(inputs), target, mask)
        yield Update("generator", loss, {"l1": loss})

    def translate(self, inputs: torch.Tensor) -> torch.Tensor:
        return (inputs[:, 1:] + 1) / 2 + self.generator(inputs)
