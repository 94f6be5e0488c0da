from dataclasses import replace

import pytest
import torch
from fingerprints import GAN, description, district, fingerprint, hand_district
from tiny import FIELDS, tiny_configuration

from ct2pet.errors import PlansError
from ct2pet.networks import build_network
from ct2pet.planning.budget import budget_for
from ct2pet.planning.configuration import NetworkPlan
from ct2pet.planning.memory_estimate import estimate_training_gib, estimate_window_bytes
from ct2pet.planning.network_size import count
from ct2pet.planning.planner import PlanRequest, plan_configuration, plan_experiment
from ct2pet.planning.requirements import DIMENSIONS, TARGETS, NetworkNeed

CYCLIC = replace(
    GAN,
    networks={name: replace(need, copies=2, passes=4) for name, need in GAN.networks.items()},
)


def gib(configuration, requirements):
    return estimate_training_gib(configuration, FIELDS, requirements, "cpu")


def planned(box_voxels=(32, 32, 32), spacing=(4.0, 4.0, 4.0), **changes):
    box_mm = [n * s for n, s in zip(box_voxels, spacing)]
    seen = hand_district(seen=district(spacing, box_mm))
    configuration = plan_configuration(seen, ["generator", "discriminator"], [], budget_for("cpu", 100.0))
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
    for plan, channels in ((configuration.networks["generator"], 1), (configuration.networks["discriminator"], 2)):
        network = build_network(plan, channels, 1)
        parameters, activations = count(plan.network_class, plan.arguments, configuration.patch_size, channels, 1)
        assert parameters == sum(p.numel() for p in network.parameters())
        assert activations == pytest.approx(kept_values(network, configuration.patch_size, channels), rel=0.1)


def test_the_count_of_slices_and_of_a_registration_is_that_of_the_built_networks():
    needs = replace(GAN, dimensions=2)
    seen = fingerprint(head=district(box_mm=(100.0, 200.0, 160.0)))
    slices = plan_experiment(seen, description(), {"flat": needs}, PlanRequest()).configuration("head").slices
    size = slices.patch_size
    for plan, channels, outputs in (
        (slices.networks["generator"], 1, 1),
        (slices.networks["discriminator"], 2, 1),
        (slices.networks["generator"], 2, 2),  # a registration
    ):
        network = build_network(plan, channels, outputs)
        parameters, activations = count(plan.network_class, plan.arguments, size, channels, outputs)
        assert parameters == sum(p.numel() for p in network.parameters())
        assert activations == pytest.approx(kept_values(network, size, channels), rel=0.1)


def test_the_memory_of_several_stages_is_that_of_the_largest():
    small, large = GAN, CYCLIC
    for stages in ({"a": small, "b": large}, {"a": large, "b": small}):
        staged = replace(GAN, networks={}, stages=stages)
        assert gib(planned(), staged) == gib(planned(), large)


def test_a_registration_takes_memory():
    registration = NetworkNeed(inputs=(TARGETS, TARGETS), outputs=(DIMENSIONS,))
    registered = replace(GAN, networks={**GAN.networks, "registration": registration})
    assert gib(planned(), registered) > gib(planned(), GAN)


def test_memory_grows_with_batch_and_with_the_passes_that_are_held():
    one, two, four = (gib(planned(batch_size=size), GAN) for size in (1, 2, 4))
    assert four - two == pytest.approx(2 * (two - one))
    assert gib(planned(), CYCLIC) > two


def test_memory_grows_with_the_patch():
    small, large = planned((24, 24, 24)), planned((40, 40, 40))
    assert small.patch_size < large.patch_size
    assert gib(small, GAN) < gib(large, GAN)


def test_a_network_that_cannot_be_counted_is_refused():
    foreign = tiny_configuration(
        networks={
            "generator": NetworkPlan("torch.nn.Identity", {}),
            "discriminator": NetworkPlan("torch.nn.Identity", {}),
        }
    )
    with pytest.raises(PlansError, match=r"torch\.nn\.Identity"):
        gib(foreign, GAN)


def test_the_memory_of_a_window_is_more_than_a_prediction_holds_and_only_of_networks_that_predict():
    configuration = planned()

    def size(predicts):
        return estimate_window_bytes(configuration, FIELDS, GAN, predicts)

    both, generator = size(lambda name: True), size(lambda name: name == "generator")
    assert size(lambda name: name == "discriminator") == both - generator > 0
    plan, held = configuration.network("generator"), [0]
    network = build_network(plan, 1, 1)
    for layer in network.modules():
        if not [*layer.children()]:  # its input and output are in memory together
            layer.register_forward_hook(lambda _, inputs, output: held.append(4 * (inputs[0].numel() + output.numel())))
    with torch.no_grad():
        network(torch.zeros(1, 1, *configuration.patch_size))
    assert max(held) < generator
