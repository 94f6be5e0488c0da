"""The plans that the benchmarks of training and prediction use: patches and networks of ct2pet for CT and PET."""

from __future__ import annotations

from typing import Any

BATCH, DEGREES, NOISE = 2, 10.0, 0.01
CT_WINDOW, SUV = (-200.0, 300.0), 20.0


def configuration(patch: int, features: int, spacing: list[float], stages: int = 4) -> Any:
    """The trunk in patches of ``patch`` voxels cubed; ``features``: of the first stage of both networks."""
    from ct2pet.planning.configuration import Augmentation, Configuration, Masking, Normalization, Sampling
    from ct2pet.planning.networks import plan_discriminator, plan_generator
    from ct2pet.planning.topology import unet_topology

    size = [patch] * 3
    return Configuration(
        labels=[2],
        spacing=spacing,
        median_shape=size,
        patch_size=size,
        batch_size=BATCH,
        normalization={
            "CT": Normalization(*CT_WINDOW, True, [-1.0, 1.0]),
            "PET": Normalization(0.0, SUV, True, [0.0, 1.0]),
        },
        masking=Masking("hard", 0.0),
        sampling=Sampling(0.0),
        augmentation=Augmentation([DEGREES] * 3, 1.0, [0, 1, 2], 0.5, NOISE, 1.0),
        tile_overlap=0.5,
        mirror_axes=[],
        networks={
            "generator": plan_generator(unet_topology(size, [1.0] * 3, stages), features, 320),
            "discriminator": plan_discriminator(size, features),
        },
    )
