"""LDOS with the tiny configuration: a network of three stages, and two organs."""

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
