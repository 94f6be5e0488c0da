import torch

from ct2pet.models.base import frozen


def test_frozen_lets_gradients_through_but_not_into_the_network():
    network = torch.nn.Linear(2, 1)
    network.bias.requires_grad_(False)
    image = torch.ones(1, 2, requires_grad=True)
    with frozen(network):
        network(image).sum().backward()
    assert network.weight.grad is None
    torch.testing.assert_close(image.grad, network.weight.detach())
    assert network.weight.requires_grad
    assert not network.bias.requires_grad, "what was frozen before stays frozen"
