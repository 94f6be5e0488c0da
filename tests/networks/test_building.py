import pytest
import torch
from tiny import tiny_configuration

from ct2pet.errors import PlansError
from ct2pet.networks import build_network, zero_init_last_layer
from ct2pet.planning.configuration import NetworkPlan


def test_dotted_names_become_what_they_name():
    network = build_network(tiny_configuration().generator)
    assert any(type(module) is torch.nn.InstanceNorm3d and module.affine for module in network.modules())


def test_overrides_replace_arguments():
    plan = NetworkPlan("torch.nn.Linear", {"in_features": 3, "out_features": 2})
    assert build_network(plan, out_features=5).weight.shape == (5, 3)


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
        build_network(NetworkPlan(name, {}))


def test_wrong_arguments_are_named():
    with pytest.raises(PlansError, match=r"torch\.nn\.Linear .*wheels"):
        build_network(NetworkPlan("torch.nn.Linear", {"wheels": 4}))


def test_a_silenced_network_answers_zero_and_still_learns():
    network = zero_init_last_layer(build_network(tiny_configuration().generator))
    ct = torch.randn(1, 1, 16, 16, 16)
    answer = network(ct)
    assert (answer == 0).all()
    (answer - 1).square().mean().backward()
    changed = [name for name, p in network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert changed, "no gradient reaches the last layer"
