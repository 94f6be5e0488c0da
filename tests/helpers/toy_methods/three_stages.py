"""Three stages: a CT to a PET, and twice a correction of the PET before."""

from dataclasses import asdict, dataclass

from torch import nn

from ct2pet.losses import masked_l1
from ct2pet.models.base import ImageTranslation, StagedHyperparameters, StagedMethod, Update
from ct2pet.models.base.staged import draft_configuration, draft_fields
from ct2pet.planning.requirements import Requirements

NAMES = ("first", "second", "third")


@dataclass(frozen=True)
class ThreeStagesHyperparameters(StagedHyperparameters):
    learning_rate: float = 1e-2


class Translation(ImageTranslation):
    """Two convolutions, and a network that only trains."""

    Hyperparameters = ThreeStagesHyperparameters
    requirements = Requirements()
    inference_networks = ("generator",)

    def build(self, configuration, fields):
        self.generator = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv3d(4, 1, 1))
        self.helper = nn.Conv3d(1, 1, 1)

    def optimizers(self):
        return {"generator": self.adam([*self.generator.parameters(), *self.helper.parameters()])}

    def training_step(self, batch, progress):
        inputs, target, mask, _ = self.images(batch)
        loss = masked_l1(self.helper(self.translate(inputs)), target, mask)
        yield Update("generator", loss, {"l1": loss})

    def translate(self, inputs):
        return self.generator(inputs)


class ThreeStages(StagedMethod):
    Hyperparameters = ThreeStagesHyperparameters
    requirements = Requirements(
        stages={name: Translation.requirements for name in NAMES}, hyperparameters=asdict(ThreeStagesHyperparameters())
    )

    def build_stages(self, configuration, fields):
        hparams, drafts = (
            asdict(self.hyperparameters),
            (draft_configuration(configuration, fields), draft_fields(fields)),
        )
        return {name: Translation(*(drafts if name != "first" else (configuration, fields)), hparams) for name in NAMES}
