import pytest
import torch
from tiny import PATCHGAN, tiny_configuration

from ct2pet.errors import PlansError
from ct2pet.networks import build_network, zero_init_last_layer
from ct2pet.planning.configuration import NetworkPlan

GENERATOR = tiny_configuration().network("generator")


def test_dotted_names_become_what_they_name():
    network = build_network(GENERATOR, 1, 1)
    assert any(type(module) is torch.nn.InstanceNorm3d and module.affine for module in network.modules())


def test_channels_are_those_that_are_asked_for_whatever_the_plan_says():
    plan = NetworkPlan(GENERATOR.network_class, {**GENERATOR.arguments, "input_channels": 7, "num_classes": 9})
    assert build_network(plan, 3, 2)(torch.rand(1, 3, 16, 16, 16)).shape == (1, 2, 16, 16, 16)
    assert build_network(NetworkPlan("torch.nn.Conv3d", {"kernel_size": 3}), 3, 2).weight.shape[:2] == (2, 3)


def test_a_discriminator_gives_one_score_and_takes_no_number_of_them():
    network = build_network(NetworkPlan(PATCHGAN, {"base_features": 4, "num_strided_layers": 1}), 3, 5)
    assert network(torch.rand(1, 3, 16, 16, 16)).shape[1] == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os.system", "networks come from"),
        ("torch.nn.Convolutional", "cannot be imported"),
        ("ct2pet.networks.nowhere.Net", "cannot be imported"),
        ("ct2pet.files.write_json", "not a class of networks"),
        ("torch.nn.init.zeros_", "not a class of networks"),
    ],
)
def test_a_name_that_is_foreign_or_unknown_is_refused(name, words):
    with pytest.raises(PlansError, match=words):
        build_network(NetworkPlan(name, {}), 1, 1)


def test_wrong_arguments_are_named():
    with pytest.raises(PlansError, match=r"torch\.nn\.Linear .*wheels"):
        build_network(NetworkPlan("torch.nn.Linear", {"wheels": 4}), 1, 1)


@pytest.mark.parametrize(
    "changes", [{"strides": None}, {"kernel_sizes": [[3, 3, 3]]}, {"n_stages": -1}, {"conv_op": 3}, {"strides": [[-1]]}]
)
def test_arguments_that_cannot_be_are_one_line_whatever_the_class_raises(changes):
    with pytest.raises(PlansError, match="cannot be built from the plans' arguments") as caught:
        build_network(NetworkPlan(GENERATOR.network_class, {**GENERATOR.arguments, **changes}), 1, 1)
    assert len(str(caught.value).splitlines()) == 1


def test_a_network_with_a_zero_last_layer_answers_zero_and_still_learns():
    network = zero_init_last_layer(build_network(GENERATOR, 1, 1))
    ct = torch.randn(1, 1, 16, 16, 16)
    answer = network(ct)
    assert (answer == 0).all()
    (answer - 1).square().mean().backward()
    changed = [name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert changed, "no gradient reaches the last layer"
