"""A generator with random weights, as a trained model of ct2pet."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from _whole_body import DISTRICTS, NAME, grids

from ct2pet.checkpoint import save_checkpoint
from ct2pet.models import load_model
from ct2pet.planning.configuration import Augmentation, Configuration, Masking, Sampling
from ct2pet.planning.networks import plan_discriminator, plan_generator
from ct2pet.planning.plans import WHOLE_BODY, CTNormalization, PETNormalization, Plans
from ct2pet.planning.topology import unet_topology

CT_WINDOW = (-200.0, 300.0)
SUV = 20.0


def write_model(folder: Path, size: str, window: int, stages: int, features: int) -> None:
    """Write plans and a checkpoint for the whole body, with windows of ``window`` voxels, into ``folder``/results.

    The network says SUV 1, with a deviation of about 0.5.
    """
    patch = [window] * 3
    configuration = Configuration(
        labels=sorted(DISTRICTS.values()),
        spacing=list(grids(size)[1].spacing),
        median_shape=patch,
        patch_size=patch,
        batch_size=1,
        ct_normalization=CTNormalization(*CT_WINDOW),
        pet_normalization=PETNormalization(0.0, SUV, True),
        masking=Masking("hard", 0.0),
        sampling=Sampling(0.0),
        augmentation=Augmentation([0.0] * 3, 0.0, [], 0.0, 0.0, 0.0),
        tile_overlap=0.5,
        mirror_axes=[],
        generator=plan_generator(unet_topology(patch, [1.0] * 3, stages), features, 320),
        discriminator=plan_discriminator(patch, 8),
    )
    plans = Plans(NAME, f"window{window}", "benchmark", dict(DISTRICTS), {WHOLE_BODY: configuration}, {}, 0.0)
    torch.manual_seed(0)
    model = load_model("pix2pix")(configuration)
    last = [module for module in model.generator.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    torch.nn.init.normal_(last.weight, std=0.5 / SUV / math.sqrt(features))
    torch.nn.init.constant_(last.bias, 1.0 / SUV)
    own = folder / "results" / NAME / f"pix2pix__window{window}__{WHOLE_BODY}"
    content = {"model_name": "pix2pix", "configuration_name": WHOLE_BODY, "plans": plans.to_json(), "epoch": 1}
    save_checkpoint(own / "fold_all" / "checkpoint_final.pth", {**content, "model": model.state_dict()})
    plans.save(own / "plans.json")
