import pytest
import torch

from ct2pet.networks import build_network
from ct2pet.planning.networks import plan_discriminator, plan_generator, plan_shared_encoder
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


@pytest.mark.parametrize(("base", "features"), [(8, 16), (24, 24)])
def test_label_decoders_have_at_least_16_features(base, features):
    plan = plan_shared_encoder(unet_topology([16] * 3, [4.0] * 3, 3), base, 64)
    network = build_network(plan, 1, [1, 19])
    heads = [decoder.seg_layers[-1] for decoder in network.decoders]
    assert [head.weight.shape[:2] for head in heads] == [(1, features), (19, features)]
    image, labels = network(torch.randn(1, 1, 16, 16, 16))
    assert [image[0].shape[1], labels[0].shape[1]] == [1, 19]
    assert len(labels) == 2


def test_a_gpu_gets_the_residual_encoder_of_nnu_net():
    topology = unet_topology([64] * 3, [2.0] * 3, 5)
    assert plan_shared_encoder(topology, 32, 320).arguments["n_blocks_per_stage"] == [1, 3, 4, 6, 6]
