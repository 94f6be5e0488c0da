import pytest
import torch
from tiny import tiny_configuration

from ct2pet.errors import PlansError, PluginError
from ct2pet.models import load_model, model_names


def make_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    ct = torch.randn(2, 1, 16, 16, 16, generator=generator)
    mask = torch.zeros(2, 1, 16, 16, 16, dtype=torch.bool)
    mask[..., 4:12] = True
    return {"ct": ct, "pet": ct.abs(), "mask": mask}


def make_model(**hyperparameters):
    torch.manual_seed(0)
    return load_model("pix2pix")(tiny_configuration(), hyperparameters)


def wake(model):
    """Give the generator's silent last layer random weights."""
    for parameter in model.generator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)


def test_each_update_reaches_its_own_network_only():
    model = make_model()
    wake(model)
    for update in model.training_step(make_batch()):
        model.zero_grad(set_to_none=True)
        update.loss.backward()
        touched = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
        assert touched == {update.optimizer}


@pytest.mark.parametrize("lambda_l2", [0.0, 3.0])  # 0: by the paper
def test_the_generators_loss_is_its_parts(lambda_l2):
    model = make_model(lambda_l1=7.0, lambda_l2=lambda_l2)
    wake(model)
    _, update = model.training_step(make_batch())
    parts = update.losses
    torch.testing.assert_close(update.loss, parts["g_adversarial"] + 7.0 * parts["g_l1"] + lambda_l2 * parts["g_l2"])
    assert parts["g_l2"] > 0


def test_nothing_outside_the_district_reaches_the_losses():
    model = make_model()
    wake(model)
    batch = make_batch()
    elsewhere = {**batch, "pet": torch.where(batch["mask"], batch["pet"], torch.tensor(99.0))}
    losses = [[update.loss.item() for update in model.training_step(b)] for b in (batch, elsewhere)]
    assert losses[0] == losses[1]


def test_it_learns_a_translation():
    model = make_model(learning_rate=3e-3)
    optimizers, batch = model.optimizers(), make_batch()
    l1 = []
    for _ in range(40):
        for update in model.training_step(batch):
            optimizers[update.optimizer].zero_grad()
            update.loss.backward()
            optimizers[update.optimizer].step()
        l1.append(update.losses["g_l1"].item())
    assert l1[-1] < 0.6 * l1[0]


def test_an_untrained_generator_answers_suv_zero():
    assert (make_model().translate(make_batch()["ct"]) == 0).all()


def test_the_optimizers_take_the_plans_numbers():
    optimizers = make_model(learning_rate=5e-4, discriminator_learning_rate=1e-4, beta1=0.3).optimizers()
    groups = {name: optimizer.param_groups[0] for name, optimizer in optimizers.items()}
    assert (groups["generator"]["lr"], groups["discriminator"]["lr"]) == (5e-4, 1e-4)
    assert groups["generator"]["betas"] == (0.3, 0.999)


def test_unknown_hyperparameters_and_methods_are_refused():
    with pytest.raises(PlansError, match="lamda"):
        make_model(lamda=1)
    with pytest.raises(PluginError, match="pix2pix"):
        load_model("pix2pixx")
    assert "pix2pix" in model_names()
