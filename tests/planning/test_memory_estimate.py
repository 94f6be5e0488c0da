from dataclasses import replace

import pytest
import torch
from fingerprints import DISTRICTS, GAN, district, fingerprint
from tiny import tiny_configuration

from ct2pet.errors import PlansError
from ct2pet.networks import build_network
from ct2pet.planning.configuration import NetworkPlan
from ct2pet.planning.memory_estimate import count, estimate_training_gib
from ct2pet.planning.networks import registration_plan
from ct2pet.planning.planner import budget_for, plan_configuration, plan_experiment


def planned(box_voxels=(32, 32, 32), spacing=(4.0, 4.0, 4.0), **changes):
    box_mm = [n * s for n, s in zip(box_voxels, spacing)]
    configuration = plan_configuration("d", district(spacing, box_mm), [1], [], budget_for("cpu", 100.0))
    return replace(configuration, **changes)


def kept_values(network, patch, channels):
    """What autograd really keeps in one pass, weights left aside, each storage once."""
    kept = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes() // 4, storage)  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(torch.randn(1, channels, *patch))
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize(
    ("box", "spacing"), [((32, 32, 32), (4.0, 4.0, 4.0)), ((12, 48, 40), (8.0, 2.0, 2.0))], ids=["cube", "flat"]
)
def test_the_count_is_that_of_the_built_networks(box, spacing):
    configuration = planned(box, spacing)
    for plan, channels in ((configuration.generator, 1), (configuration.discriminator, 2)):
        network = build_network(plan)
        parameters, activations = count(plan, configuration.patch_size)
        assert parameters == sum(p.numel() for p in network.parameters())
        assert activations == pytest.approx(kept_values(network, configuration.patch_size, channels), rel=0.1)


def test_the_count_of_slices_and_of_a_registration_is_that_of_the_built_networks():
    needs = replace(GAN, dimensions=2)
    seen = fingerprint(head=district(box_mm=(100.0, 200.0, 160.0)))
    slices = plan_experiment(seen, DISTRICTS, {"flat": needs}, device="cpu").configuration("head").slices
    size = slices.patch_size
    for plan, channels in (
        (slices.generator, 1),
        (slices.discriminator, 2),
        (registration_plan(slices.generator, 2), 2),
    ):
        network = build_network(plan)
        parameters, activations = count(plan, size)
        assert parameters == sum(p.numel() for p in network.parameters())
        assert activations == pytest.approx(kept_values(network, size, channels), rel=0.1)


def test_of_several_stages_the_most_demanding_counts():
    small, large = GAN, replace(GAN, passes={"generator": 4, "discriminator": 2})
    for stages in ({"a": small, "b": large}, {"a": large, "b": small}):
        staged = replace(GAN, networks={}, passes={}, stages=stages)
        assert estimate_training_gib(planned(), staged, "cpu") == estimate_training_gib(planned(), large, "cpu")


def test_a_registration_takes_memory():
    registered = replace(GAN, **{n: {**getattr(GAN, n), "registration": 1} for n in ("networks", "passes")})
    assert estimate_training_gib(planned(), registered, "cpu") > estimate_training_gib(planned(), GAN, "cpu")


def test_memory_grows_with_batch_and_with_the_passes_that_are_held():
    one, two, four = (estimate_training_gib(planned(batch_size=size), GAN, "cpu") for size in (1, 2, 4))
    assert four - two == pytest.approx(2 * (two - one))
    cyclic = replace(GAN, networks={"generator": 2, "discriminator": 2}, passes={"generator": 4, "discriminator": 2})
    assert estimate_training_gib(planned(), cyclic, "cpu") > two


def test_memory_grows_with_the_patch():
    small, large = planned((24, 24, 24)), planned((40, 40, 40))
    assert small.patch_size < large.patch_size
    assert estimate_training_gib(small, GAN, "cpu") < estimate_training_gib(large, GAN, "cpu")


def test_a_network_that_cannot_be_counted_is_refused():
    foreign = tiny_configuration(generator=NetworkPlan("torch.nn.Identity", {}))
    with pytest.raises(PlansError, match=r"torch\.nn\.Identity"):
        estimate_training_gib(foreign, GAN, "cpu")
