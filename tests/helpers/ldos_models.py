"""A small LDOS with two organs, and a batch for it."""

import torch
from tiny import tiny_configuration
from tiny_models import tiny_model

from ct2pet.dataset import Field, Fields
from ct2pet.planning.configuration import Normalization
from ct2pet.planning.networks import NetworkSize, plan_network
from ct2pet.planning.topology import unet_topology

FIELDS = Fields(
    (
        Field("PET_low", "input", "pet"),
        Field("PET", "target", "pet"),
        Field("organs", "target", "labels", labels={"liver": 1, "spleen": 2}),
    )
)


def make(**hyperparameters):
    topology = unet_topology([16] * 3, [4.0] * 3, 3)
    network = plan_network("shared_encoder", NetworkSize([16] * 3, topology, 4, 16))
    configuration = tiny_configuration(
        networks={"shared_encoder": network},
        normalization={
            "PET_low": Normalization(0.0, 10.0, False, [-1.0, 1.0]),
            "PET": Normalization(0.0, 10.0, False, [0.0, 1.0]),
        },
        slices=None,
    )
    return tiny_model("ldos", configuration, FIELDS, **hyperparameters)


def make_batch():
    generator = torch.Generator().manual_seed(0)
    pet = torch.rand(2, 1, 16, 16, 16, generator=generator)
    low = (pet + 0.1 * torch.randn(pet.shape, generator=generator)) * 2 - 1
    labels = torch.randint(0, 3, pet.shape, generator=generator)
    return {"PET_low": low, "PET": pet, "organs": labels, "mask": torch.ones_like(pet, dtype=torch.bool)}
