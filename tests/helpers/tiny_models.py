"""Methods with the tiny configuration, and batches that they take."""

import torch
from tiny import FIELDS, tiny_configuration

from ct2pet.models import load_model
from ct2pet.models.base import Progress

START = Progress(epoch=0, step=0, fraction=0.0)


def tiny_model(name, configuration=None, fields=FIELDS, **hyperparameters):
    """A new method, with the same weights each time."""
    torch.manual_seed(0)
    return load_model(name)(configuration or tiny_configuration(), fields, hyperparameters)


def random_weights(networks, std=0.1):
    """Also in the last layers, which begin with zeros."""
    for parameter in networks.parameters():
        torch.nn.init.normal_(parameter, std=std)


def updates(model, batch):
    """The updates of one training step, as the trainer asks for them."""
    return model.training_step(batch, START)


def touched_by(model, update):
    """The networks that get gradients from an update."""
    model.zero_grad(set_to_none=True)
    update.loss.backward()
    return {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}


def losses_of(model, batch):
    return [update.loss.item() for update in updates(model, batch)]
