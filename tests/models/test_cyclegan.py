import torch
from tiny import tiny_configuration

from ct2pet.models import load_model

NETWORKS = {
    "generators": {"generator", "backward_generator"},
    "discriminators": {"pet_discriminator", "ct_discriminator"},
}


def make_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    ct, pet = (torch.rand(2, 1, 16, 16, 16, generator=generator) for _ in range(2))
    mask, pet_mask = (torch.zeros(2, 1, 16, 16, 16, dtype=torch.bool) for _ in range(2))
    mask[..., 4:12], pet_mask[..., 2:9, :] = True, True
    return {"ct": ct, "mask": mask, "pet": pet, "pet_mask": pet_mask}


def make_model(awake=True, **hyperparameters):
    torch.manual_seed(0)
    model = load_model("cyclegan")(tiny_configuration(), hyperparameters)
    for parameter in model.parameters() if awake else ():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


def test_each_update_reaches_its_own_networks_only():
    model = make_model()
    for update in model.training_step(make_batch()):
        model.zero_grad(set_to_none=True)
        update.loss.backward()
        touched = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
        assert touched == NETWORKS[update.optimizer]


def test_the_generators_loss_is_its_parts_by_the_paper():
    update, _ = make_model(lambda_cycle=7.0).training_step(make_batch())
    parts = update.losses
    expected = parts["g_adversarial_pet"] + parts["g_adversarial_ct"] + 7 * (parts["g_cycle_ct"] + parts["g_cycle_pet"])
    torch.testing.assert_close(update.loss, expected)


def test_no_pet_outside_its_mask_reaches_the_losses():
    batch = make_batch()
    elsewhere = {**batch, "pet": torch.where(batch["pet_mask"], batch["pet"], torch.tensor(99.0))}
    losses = [[update.loss.item() for update in make_model().training_step(b)] for b in (batch, elsewhere)]
    assert losses[0] == losses[1]


def test_two_translations_that_undo_each_other_have_no_cycle_loss():
    model, batch = make_model(), make_batch()
    model.generator = torch.nn.Identity()
    model.backward_generator = torch.nn.Identity()
    update = next(iter(model.training_step(batch)))
    assert update.losses["g_cycle_ct"] == 0
    assert update.losses["g_cycle_pet"] == 0


def test_pet_and_ct_need_not_belong_together():
    """Unpaired: another order of the PETs among the patches changes no loss of the generators."""
    batch = make_batch()
    turned = {**batch, "pet": batch["pet"].flip(0), "pet_mask": batch["pet_mask"].flip(0)}
    losses = [next(iter(make_model().training_step(b))).loss for b in (batch, turned)]
    torch.testing.assert_close(*losses)


def test_the_discriminators_see_fakes_of_earlier_updates():
    model, seen = make_model(pool_size=2), []
    model.pet_discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    for seed in range(6):
        list(model.training_step(make_batch(seed)))
    own, shown = seen[0::3], seen[2::3]  # fakes for the generator, real ones, fakes for the discriminator
    assert torch.equal(own[0], shown[0])
    assert any(not torch.equal(a, b) for a, b in zip(own[1:], shown[1:]))
    known = [fake for batch in own for fake in batch]
    assert all(any(torch.equal(fake, one) for one in known) for batch in shown for fake in batch)


def test_its_pools_come_back_with_the_training_state():
    model, copy = make_model(pool_size=3), make_model(pool_size=3)
    for seed in range(4):
        list(model.training_step(make_batch(seed)))
    copy.load_training_state(model.training_state())
    copy.load_state_dict(model.state_dict())
    losses = []
    for one in (model, copy):
        torch.manual_seed(1)
        losses.append([update.loss.item() for seed in (8, 9) for update in one.training_step(make_batch(seed))])
    assert losses[0] == losses[1]
