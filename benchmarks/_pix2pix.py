"""The plan that the benchmark of training follows: patches and networks of ct2pet for the trunk."""

from __future__ import annotations

from typing import Any

BATCH, DEGREES, NOISE = 2, 10.0, 0.01


def configuration(patch: int, features: int, spacing: list[float]) -> Any:
    from ct2pet.planning.networks import plan_discriminator, plan_generator
    from ct2pet.planning.plans import CTNormalization, PETNormalization
from ct2pet.planning.configuration import Augmentation, Configuration, Masking, Sampling
    from ct2pet.planning.topology import unet_topology

    size = [patch] * 3
    return Configuration(
        labels=[2],
        spacing=spacing,
        median_shape=size,
        patch_size=size,
        batch_size=BATCH,
        ct_normalization=CTNormalization(-200.0, 300.0),
        pet_normalization=PETNormalization(0.0, 20.0, True),
        masking=Masking("hard", 0.0),
        sampling=Sampling(0.0),
        augmentation=Augmentation([DEGREES] * 3, 1.0, [0, 1, 2], 0.5, NOISE, 1.0),
        tile_overlap=0.5,
        mirror_axes=[],
        generator=plan_generator(unet_topology(size, [1.0] * 3, 4), features, 320),
        discriminator=plan_discriminator(size, features),
    )
