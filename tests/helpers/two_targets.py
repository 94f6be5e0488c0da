"""A method without training: a CT, or a CT and a low-dose PET, become a PET and organ labels."""

from dataclasses import replace

import numpy as np
import torch
from raw_cases import permuted
from tiny import CT_WINDOW, SUV_WINDOW, tiny_configuration, tiny_plans

from ct2pet.checkpoint import save_checkpoint
from ct2pet.dataset import Field, Fields, RawDataset, write_dataset_json
from ct2pet.dataset.fields import CT, INPUT, LABELS, PET, TARGET
from ct2pet.imageio import write_volume
from ct2pet.layout import CHECKPOINT_FINAL, PLANS, fold_folder, model_folder
from ct2pet.models.base import PredictionModel
from ct2pet.planning.configuration import Masking, Normalization
from ct2pet.planning.requirements import FieldNeeds, Requirements
from ct2pet.volume import Grid, Volume

ORGANS = {"liver": 1, "spleen": 2}
TWO_INPUTS = (Field("CT", INPUT, CT, "HU", "images", "_0000"), Field("low_dose", INPUT, PET, "SUV", "images", "_0001"))
TWO_TARGETS = (
    Field("PET", TARGET, PET, "SUVbw g/ml", "targets"),
    Field("organs", TARGET, LABELS, "label", "organs", labels=ORGANS),
)
TWO_OF_BOTH = Fields((*TWO_INPUTS, *TWO_TARGETS))
LOW_DOSE_WINDOW = Normalization(0.0, 5.0, True, [-1.0, 1.0])
_CENTRES = (-1.0, 0.0, 1.0)  # the normalised CT at which background, liver and spleen are most probable


class ScaledAndThresholded(PredictionModel):
    """Normalised PET = factor x (last input + 1) / 2; of organs the logits -|CT - centre|, plus ``bias`` by class."""

    requirements = Requirements(FieldNeeds(image_inputs=(1, 2), label_targets=(1, 1)))
    monitor = "mae_suv"

    def build(self, configuration, fields):
        self.factor = torch.nn.Parameter(torch.ones(()))
        self.bias = torch.nn.Parameter(torch.zeros(3))

    def optimizers(self):
        return {}

    def training_step(self, batch, progress):
        yield from ()

    def validation_step(self, batch):
        return {}

    def predict(self, inputs):
        shape = (1, 3, *[1] * (inputs["CT"].ndim - 2))
        logits = -(inputs["CT"] - torch.tensor(_CENTRES).reshape(shape)).abs() + self.bias.reshape(shape)
        return {"PET": self.factor * (list(inputs.values())[-1] + 1) / 2, "organs": logits}


def two_target_configuration(**changes):
    windows = {"CT": CT_WINDOW, "low_dose": LOW_DOSE_WINDOW, "PET": SUV_WINDOW}
    first = {"patch_size": [8, 8, 8], "masking": Masking("hard", 0.0), "normalization": windows}
    return tiny_configuration(**{**first, **changes})


def two_target_plans(fields=TWO_OF_BOTH, **changes):
    """Plans of the whole body alone, which is found in the CT."""
    configurations = {"whole_body": two_target_configuration()}
    first = {"fields": list(fields), "districts": {}, "configurations": configurations, "body_mask": "CT"}
    return replace(tiny_plans(), **{**first, "models": {}, **changes})


def write_two_target_model(results, plans, factors=(1.0,)):
    """Checkpoints of ScaledAndThresholded for each configuration of the plans; ``factors``: one a fold."""
    for name, configuration in plans.configurations.items():
        folder = model_folder(results, plans.dataset_name, "both", plans.plans_name, name)
        folder.mkdir(parents=True, exist_ok=True)
        plans.save(folder / PLANS)
        for fold, factor in enumerate(factors):
            model = ScaledAndThresholded(configuration, plans.all_fields)
            model.factor.data.fill_(factor)
            content = {"model_name": "both", "configuration_name": name, "plans": plans.to_json()}
            save_checkpoint(fold_folder(folder, fold) / CHECKPOINT_FINAL, {**content, "model": model.state_dict()})


def two_input_case(direction=None):
    """A CT (HU) and a low-dose PET (SUV) of a box of changing tissue in air, and where the box is."""
    shape = (26, 30, 32)
    grid = Grid(shape, (4.0, 4.0, 4.0), (-30.0, 12.0, 50.0), direction or Grid((1, 1, 1), (1, 1, 1)).direction)
    body = np.zeros(shape, bool)
    body[3:-3, 5:-5, 4:-4] = True
    random = np.random.default_rng(2)
    ct = np.where(body, random.uniform(-240, 480, shape), -1000).astype(np.float32)
    low_dose = np.where(body, random.uniform(0, 6, shape), 0).astype(np.float32)
    return Volume(ct, grid, "HU"), Volume(low_dose, grid, "SUV"), body


def expected_pet(low_dose_suv, factor=1.0):
    """SUV of the PET where the region is."""
    return 10 * factor * np.clip(low_dose_suv, 0, 5) / 5


def expected_organs(ct_hu):
    """Organ labels where the region is; thresholds at -250 and 250 HU."""
    return np.digitize(ct_hu, [-250.0, 250.0])


def write_two_target_dataset(root, predictions, *, cases=("a", "b"), **description):
    """A dataset of CT, PET and organs without districts, and predictions of its test cases that are wrong: the PETs by
    noise, the organs by a shift of a voxel. The CTs are stored in another order of axes than the PETs."""
    folder = root / "Dataset902_Organs"
    targets = {"PET": {"unit": "SUVbw g/ml"}, "organs": {"kind": "labels", "labels": ORGANS}}
    write_dataset_json(
        folder,
        name="Organs",
        num_training=0,
        **{"channel_names": {"0": "CT"}, "targets": targets, "districts": {}, **description},
    )
    for number, case in enumerate(cases):
        ct, real, _ = two_input_case()
        random = np.random.default_rng(number)
        real = real.with_array(real.array + np.float32(0.5))
        fake = (real.array + random.normal(0.1, 0.3, real.array.shape)).clip(0).astype(np.float32)
        organs = np.zeros(ct.grid.shape, np.uint8)
        organs[6:14, 8:16, 7 + number : 15], organs[14:20, 9:20, 12:22] = 1, 2
        write_volume(folder / "imagesTs" / f"{case}_0000.nii.gz", permuted(ct))
        write_volume(folder / "targetsTs" / f"{case}.nii.gz", real)
        write_volume(folder / "organsTs" / f"{case}.nii.gz", real.with_array(organs, "label"))
        write_volume(predictions / f"{case}_PET.nii.gz", real.with_array(fake))
        write_volume(predictions / f"{case}_organs.nii.gz", real.with_array(np.roll(organs, 1, axis=0), "label"))
    return RawDataset(folder)
