"""One input image; an image and a label map out."""

from torch.nn import functional

from ct2pet.losses import masked_l1
from ct2pet.models.base import PredictionModel, Update, WeightedMean
from ct2pet.planning.requirements import FieldNeeds, NetworkNeed, Requirements


class ImageAndLabels(PredictionModel):
    """One network whose first channel is the image, and whose others are the logits of the labels."""

    requirements = Requirements(
        FieldNeeds(image_inputs=(1, 1), image_targets=(1, 1), label_targets=(1, 1)), {"generator": NetworkNeed()}
    )
    monitor = "accuracy"
    maximize = True

    def build(self, configuration, fields):
        self.generator = self.network("generator")
        self.image, self.labels = (one.name for one in fields.targets)

    def optimizers(self):
        return {"generator": self.adam(self.generator.parameters(), 1e-2)}

    def training_step(self, batch, progress):
        found = self.predict(batch)
        l1 = masked_l1(found[self.image], batch[self.image], batch["mask"])
        ce = functional.cross_entropy(found[self.labels].float(), batch[self.labels][:, 0])
        yield Update("generator", l1 + ce, {"l1": l1, "ce": ce})

    def predict(self, inputs):
        channels = self.generator(inputs[self.fields.inputs[0].name])
        return {self.image: channels[:, :1], self.labels: channels[:, 1:]}

    def validation_step(self, batch):
        right = self.predict(batch)[self.labels].argmax(1) == batch[self.labels][:, 0]
        return {"accuracy": WeightedMean(float(right.sum()), right.numel())}
