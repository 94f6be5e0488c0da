"""No input image: a class in, an image out."""

import torch
from torch import nn

from ct2pet.models.base import Synthesis, Update, WeightedMean
from ct2pet.planning.requirements import FieldNeeds, Requirements


class ClassToImage(Synthesis):
    """Learns the mean of each class; a sample is that mean everywhere, and noise."""

    requirements = Requirements(FieldNeeds(image_inputs=(0, 0), conditions=(1, 1)))
    monitor = "mse"

    def build(self, configuration, fields):
        self.condition, self.target = fields.conditions[0], fields.targets[0].name
        self.means = nn.Embedding(len(self.condition.labels), 1)

    def optimizers(self):
        return {"means": self.adam(self.means.parameters(), 5e-2)}

    def _cost(self, batch):
        means = self.means(batch[self.condition.name]).view(-1, 1, 1, 1, 1)
        return (batch[self.target] - means).square().mean()

    def training_step(self, batch, progress):
        loss = self._cost(batch)
        yield Update("means", loss, {"mse": loss})

    def validation_step(self, batch):
        return {"mse": WeightedMean(float(self._cost(batch)), 1)}

    def sample(self, conditions, count, seed):
        noise = torch.randn(count, 1, *self.planned.patch_size, generator=torch.Generator().manual_seed(seed))
        mean = self.means.weight[conditions[self.condition.name]]
        return {self.target: mean.view(1, 1, 1, 1, 1) + 0.01 * noise}
