"""A method without training: the PET is the CT, times a number that its weights hold."""

from dataclasses import replace

import numpy as np
import torch
from tiny import FIELDS, tiny_configuration, tiny_plans

from ct2pet.checkpoint import save_checkpoint
from ct2pet.layout import model_folder
from ct2pet.models.base import ImageTranslation
from ct2pet.planning.configuration import Masking
from ct2pet.planning.requirements import Requirements
from ct2pet.volume import Grid, Volume

HU_PER_UNIT = 500.0  # of the tiny configuration: -500 to 500 HU is [-1, 1]


class Scaled(ImageTranslation):
    """Normalised PET = factor x (CT + 1) / 2."""

    requirements = Requirements()

    def build(self, configuration, fields):
        self.factor = torch.nn.Parameter(torch.ones(()))

    def optimizers(self):
        return {}

    def training_step(self, batch, progress):
        yield from ()

    def translate(self, inputs):
        return self.factor * (inputs + 1) / 2


def scaled(factor, configuration, kind=Scaled):
    model = kind(configuration, FIELDS)
    model.factor.data.fill_(factor)
    return model


def expected_suv(ct_hu, factor=1.0):
    """What Scaled makes of HU with the tiny configuration (SUV window 0 to 10)."""
    return 10 * factor * (np.clip(ct_hu, -500, 500) + 500) / 1000


def hand_configuration(**changes):
    return tiny_configuration(**{"patch_size": [8, 8, 8], "masking": Masking("hard", 0.0), **changes})


def two_district_case(spacing=(4.0, 4.0, 4.0), shape=(20, 16, 14), direction=None):
    """CT (HU) that changes from voxel to voxel and a map: 1 below, 2 above, air around."""
    grid = Grid(shape, spacing, (-30.0, 12.0, 50.0), direction or Grid((1, 1, 1), (1, 1, 1)).direction)
    ct = np.random.default_rng(5).uniform(-450, 450, shape).astype(np.float32)
    labels = np.zeros(shape, np.uint8)
    z = shape[0] // 2
    labels[2:z, 3:-3, 2:-2], labels[z:-2, 3:-3, 2:-2] = 1, 2
    return Volume(ct, grid, "HU"), Volume(labels, grid, "label")


def hand_plans(**changes):
    """Plans of two districts, low (1) and high (2), and the whole body."""
    labels = {"low": [1], "high": [2], "whole_body": [1, 2]}
    configurations = {name: hand_configuration(labels=own) for name, own in labels.items()}
    return replace(tiny_plans(), districts={"low": 1, "high": 2}, configurations=configurations, models={}, **changes)


def write_trained(results, factors, *, model="scaled", plans=None, checkpoint="checkpoint_final.pth", origin=None):
    """Checkpoints of Scaled: ``factors`` is {configuration: {fold: factor}}, ``origin`` their provenance."""
    plans = plans or hand_plans()
    for name, folds in factors.items():
        folder = model_folder(results, plans.dataset_name, model, plans.plans_name, name)
        folder.mkdir(parents=True, exist_ok=True)
        plans.save(folder / "plans.json")
        for fold, factor in folds.items():
            content = {
                "model_name": model,
                "configuration_name": name,
                "plans": plans.to_json(),
                "model": scaled(factor, plans.configuration(name)).state_dict(),
            }
            more = {} if origin is None else {"provenance": origin}
            save_checkpoint(folder / f"fold_{fold}" / checkpoint, {**content, **more})
    return plans
