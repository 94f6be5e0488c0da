import pytest
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler

from ct2pet.models.base import Hyperparameters, Progress
from ct2pet.training import TrainingOptions
from ct2pet.training.schedule import Schedule


def schedule(options=None, **numbers):
    hparams = Hyperparameters(**{"num_epochs": 10, "iterations_per_epoch": 4, "decay_epochs": 5, **numbers})
    return Schedule.of(hparams, TrainingOptions(**(options or {})))


def test_linear_the_learning_rate_is_constant_and_falls_to_zero_over_the_last_steps():
    own = Schedule(num_epochs=10, iterations=1, decay_steps=4)
    assert [own.learning_rate_factor(step) for step in range(11)] == [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]


def test_linear_the_learning_rate_falls_with_every_step_of_an_epoch():
    factors = [schedule().learning_rate_factor(step) for step in range(40)]
    assert factors == [min(1.0, (40 - step) / 20) for step in range(40)]


def test_polynomial_the_learning_rates_are_those_of_nnunet():
    """Of every step of every epoch: nnU-Net sets the rate once, at the beginning of an epoch."""
    own = schedule(schedule="polynomial")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    peer = PolyLRScheduler(optimizer, 0.01, own.num_epochs)
    for epoch in range(own.num_epochs):
        peer.step(epoch)
        rates = [0.01 * own.learning_rate_factor(step) for step in own.steps_of(epoch)]
        assert rates == pytest.approx([optimizer.param_groups[0]["lr"]] * own.iterations, rel=1e-12)
    assert own.learning_rate_factor(4) == pytest.approx(0.9**0.9)


def test_a_user_may_shorten_a_training_and_the_decay_shortens_with_it():
    own = schedule({"num_epochs": 2, "iterations_per_epoch": 30})
    assert (own.num_epochs, own.iterations, own.total_steps) == (2, 30, 60)
    assert [own.learning_rate_factor(step) for step in (0, 30, 45)] == [1.0, 1.0, 0.5]
    assert schedule({"num_epochs": 1, "iterations_per_epoch": 1}, decay_epochs=0).learning_rate_factor(0) == 1.0
    polynomial = schedule({"num_epochs": 2}, schedule="polynomial")
    assert [polynomial.learning_rate_factor(step) for step in (0, 4)] == [1.0, pytest.approx(0.5**0.9)]


def test_progress_counts_epochs_steps_and_the_share_of_all_steps_that_is_done():
    own = schedule()
    assert own.progress(0) == Progress(epoch=0, step=0, fraction=0.0)
    assert own.progress(7) == Progress(epoch=1, step=7, fraction=7 / 40)
    assert own.progress(20) == Progress(epoch=5, step=20, fraction=0.5)
    assert own.progress(39) == Progress(epoch=9, step=39, fraction=39 / 40)
    for epoch in range(own.num_epochs):
        assert {own.progress(step).epoch for step in own.steps_of(epoch)} == {epoch}


def test_the_steps_of_all_epochs_are_every_step_once():
    own = schedule()
    assert [step for epoch in range(own.num_epochs) for step in own.steps_of(epoch)] == list(range(own.total_steps))
