"""A generator with random weights, as a trained model of ct2pet."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from _pix2pix import SUV, configuration
from _whole_body import DISTRICTS, NAME, grids

from ct2pet.checkpoint import save_checkpoint
from ct2pet.dataset.fields import ct_to_pet
from ct2pet.layout import CHECKPOINT_FINAL, PLANS, fold_folder, model_folder
from ct2pet.models.pix2pix import Pix2Pix
from ct2pet.planning.networks import plan_discriminator
from ct2pet.planning.planner import planned_fields
from ct2pet.planning.plans import WHOLE_BODY, Plans


def write_model(folder: Path, size: str, window: int, stages: int, features: int) -> None:
    """Write plans and a checkpoint for the whole body, with windows of ``window`` voxels, into ``folder``/results.

    The network gives SUV 1, with a deviation of about 0.5.
    """
    planned = configuration(window, features, list(grids(size)[1].spacing), stages)
    planned = replace(
        planned,
        labels=sorted(DISTRICTS.values()),
        batch_size=1,
        networks={**planned.networks, "discriminator": plan_discriminator(planned.patch_size, 8)},
    )
    plans = Plans(
        dataset_name=NAME,
        plans_name=f"window{window}",
        planner="benchmark",
        fields=planned_fields(ct_to_pet()),
        districts=dict(DISTRICTS),
        configurations={WHOLE_BODY: planned},
        models={},
        blend_mm=0.0,
    )
    torch.manual_seed(0)
    model = Pix2Pix(planned, plans.all_fields)
    last = [module for module in model.generator.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    torch.nn.init.normal_(last.weight, std=0.5 / SUV / math.sqrt(features))
    torch.nn.init.constant_(last.bias, 1.0 / SUV)
    own = model_folder(folder / "results", NAME, "pix2pix", plans.plans_name, WHOLE_BODY)
    content = {"model_name": "pix2pix", "configuration_name": WHOLE_BODY, "plans": plans.to_json(), "epoch": 1}
    save_checkpoint(fold_folder(own, "all") / CHECKPOINT_FINAL, {**content, "model": model.state_dict()})
    plans.save(own / PLANS)
