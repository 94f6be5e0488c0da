import pytest
import torch

from ct2pet.networks import build_network
from ct2pet.planning.networks import plan_discriminator, plan_generator
from ct2pet.planning.topology import unet_topology


@pytest.mark.parametrize(
    ("patch", "spacing"), [([16, 16, 16], [4, 4, 4]), ([10, 32, 24], [8, 2, 2])], ids=["isotropic", "anisotropic"]
)
def test_planned_networks_can_be_built_and_keep_the_shape(patch, spacing):
    generator = build_network(plan_generator(unet_topology(patch, spacing, 4), 4, 16), 1, 1)
    ct = torch.randn(2, 1, *patch)
    pet = generator(ct)
    assert pet.shape == ct.shape
    scores = build_network(plan_discriminator(patch, 4), 2, 1)(torch.cat([ct, pet], dim=1))
    assert scores.shape[:2] == (2, 1)
    scores.mean().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in generator.parameters())


def test_features_double_up_to_the_limit():
    plan = plan_generator(unet_topology([64] * 3, [1, 1, 1], 5), 16, 100)
    assert plan.arguments["features_per_stage"] == [16, 32, 64, 100, 100]
