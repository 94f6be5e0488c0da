from dataclasses import replace

import pytest
import torch
from tiny import tiny_configuration

from ct2pet.models import load_model
from ct2pet.networks import optical_flow, warp


class Flat(load_model("reggan")):
    """In 2D, where learning takes a moment."""

    requirements = replace(load_model("reggan").requirements, dimensions=2)


def make_batch(shape=(16, 16, 16), seed=0):
    generator = torch.Generator().manual_seed(seed)
    ct = torch.randn(2, 1, *shape, generator=generator)
    mask = torch.zeros(ct.shape, dtype=torch.bool)
    mask[..., 3:13] = True
    return {"ct": ct, "pet": ct.abs(), "mask": mask}


def make_model(**hyperparameters):
    torch.manual_seed(0)
    return load_model("reggan")(tiny_configuration(), hyperparameters)


def wake(model):
    """Give the silent last layers random weights."""
    for name, parameter in model.named_parameters():
        if not name.startswith("discriminator"):
            torch.nn.init.normal_(parameter, std=0.05)


def touched_by(model, update):
    model.zero_grad(set_to_none=True)
    update.loss.backward()
    return {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}


def test_generator_and_registration_step_together_and_the_discriminator_by_itself():
    model = make_model()
    wake(model)
    steps = [(update.optimizer, touched_by(model, update)) for update in model.training_step(make_batch())]
    assert steps == [("generator", {"generator", "registration"}), ("discriminator", {"discriminator"})]
    optimizers = model.optimizers()
    trained = {id(p) for group in optimizers["generator"].param_groups for p in group["params"]}
    assert trained == {id(p) for network in (model.generator, model.registration) for p in network.parameters()}


def test_the_loss_is_its_parts_by_the_paper():
    model = make_model(lambda_correction=7.0, lambda_smooth=3.0, lambda_adversarial=0.5)
    wake(model)
    update = next(model.training_step(make_batch()))
    parts = update.losses
    expected = 7 * 2 * parts["g_l1"] + 3 * parts["g_smooth"] + 0.5 * parts["g_adversarial"]
    torch.testing.assert_close(update.loss, expected)
    assert parts["g_smooth"] > 0


def test_an_untrained_registration_moves_nothing():
    with_registration, without = make_model(initial_flow=False), make_model(registration=False)
    without.load_state_dict(with_registration.state_dict(), strict=False)
    losses = [next(model.training_step(make_batch())).losses["g_l1"] for model in (with_registration, without)]
    torch.testing.assert_close(*losses)
    assert without.registration is None


def test_the_fake_is_compared_where_it_is_moved_to(monkeypatch):
    """A PET that is the fake moved by two voxels costs nothing for a registration that says two voxels."""
    model, batch = make_model(), make_batch()
    wake(model)
    field = torch.zeros(2, 3, 16, 16, 16)
    field[:, 2] = 2.0
    batch["pet"] = warp(model.translate(batch["ct"]).detach(), field)
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: field)
    assert next(model.training_step(batch)).losses["g_l1"] < 1e-6
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: -field)
    assert next(model.training_step(batch)).losses["g_l1"] > 1e-3


def test_a_voxel_counts_where_the_real_pet_lies_in_the_district(monkeypatch):
    """What lies beyond its edge does not count, wherever the fake is moved; what is moved in from there does, but not
    from beyond the patch."""
    model, batch = make_model(), make_batch()
    wake(model)
    field = torch.full((2, 3, 16, 16, 16), 2.0)
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: field)
    elsewhere = {**batch, "pet": torch.where(batch["mask"], batch["pet"], torch.tensor(99.0))}
    losses = [[update.loss.item() for update in model.training_step(b)] for b in (batch, elsewhere)]
    assert losses[0] == losses[1]
    fake = model.translate(batch["ct"])
    near, far = (slice(None), slice(None), *[slice(0, 14)] * 3), (slice(None), slice(None), *[slice(2, 16)] * 3)
    counted = batch["mask"][near]
    assert counted.sum() < batch["mask"].sum()
    expected = (fake[far] - batch["pet"][near])[counted].abs().mean()
    torch.testing.assert_close(next(model.training_step(batch)).losses["g_l1"], expected)


def test_the_discriminator_sees_fakes_as_askew_as_real_pets(monkeypatch):
    """How a real PET lies in the mask of the CT would betray it."""
    model, batch = make_model(), make_batch()
    wake(model)
    field = torch.full((2, 3, 16, 16, 16), 1.0)
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: field)
    seen = []
    model.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    [*model.training_step(batch)]
    fake, mask = warp(model.translate(batch["ct"]), field) * batch["mask"], batch["mask"]
    torch.testing.assert_close(seen[0], fake)
    torch.testing.assert_close(seen[1], torch.cat([batch["pet"] * mask, fake]))


def learn(model, batches, steps):
    optimizers = model.optimizers()
    for number in range(steps):
        for update in model.training_step(batches[number % len(batches)]):
            optimizers[update.optimizer].zero_grad()
            update.loss.backward()
            optimizers[update.optimizer].step()


def askew(shifts):
    """The same image twice, whose PETs have been moved along X by so many voxels."""
    y, x = torch.meshgrid(*[torch.arange(16.0)] * 2, indexing="ij")
    ct = (torch.sin(0.5 * y) + torch.sin(0.7 * x)).expand(2, 1, 16, 16)
    field = torch.zeros(2, 2, 16, 16)
    field[0, 1], field[1, 1] = shifts
    return {"ct": ct, "pet": warp((ct + 2) / 4, field), "mask": torch.ones(ct.shape, dtype=torch.bool)}


@pytest.mark.parametrize("initial_flow", [True, False])
def test_it_finds_out_how_pets_were_moved(initial_flow):
    torch.manual_seed(0)
    batch = askew((1.5, -1.5))
    numbers = {"learning_rate": 1e-2, "lambda_adversarial": 0.0, "field_sigma_mm": 20.0, "initial_flow": initial_flow}
    model = Flat(tiny_configuration(), numbers)
    learn(model, [batch], 75)
    fake = model.translate(batch["ct"]).detach()
    first, second = model.field(fake, batch["pet"], batch["mask"])[:, 1].mean((1, 2)).tolist()
    assert 1.0 < first < 2.0
    assert -2.0 < second < -1.0


def test_optical_flow_comes_before_the_network():
    """An untrained network leaves what the flow says, and the network sees what the flow has left."""
    batch = askew((1.0, -0.5))
    model = Flat(tiny_configuration(), {"field_sigma_mm": 30.0})
    sigma = [30.0 / mm for mm in model.planned.spacing[1:]]
    fake = (batch["ct"] + 2) / 4
    flow = optical_flow(fake, batch["pet"], batch["mask"], sigma)
    assert flow.abs().max() > 0.3
    torch.testing.assert_close(model.field(fake, batch["pet"], batch["mask"]), flow)

    seen = []
    model.registration.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.field(fake, batch["pet"], batch["mask"])
    torch.testing.assert_close(seen[0], torch.cat([warp(fake, flow), batch["pet"]], dim=1))


def test_what_the_fake_says_beyond_the_district_moves_nothing():
    model, batch = make_model(), make_batch()
    wake(model)
    fake = model.translate(batch["ct"]).detach()
    other = torch.where(batch["mask"], fake, 99.0)
    fields = [model.field(f, batch["pet"], batch["mask"]) for f in (fake, other)]
    torch.testing.assert_close(*fields)


def test_the_mean_field_is_that_of_the_district():
    model, batch = make_model(), make_batch()
    raw = torch.zeros(2, 3, 16, 16, 16)
    raw[:, 1] = torch.where(batch["mask"][:, 0], 4.0, 99.0)
    model._update_mean_field(raw, batch["mask"])
    torch.testing.assert_close(model.mean_field, torch.tensor([0.0, 0.02 * 4.0, 0.0]))


def test_the_mean_of_all_fields_is_taken_from_each():
    """What all PETs have in common nobody can know: the generator learns it, and nothing is moved in the mean."""
    model, batch = make_model(), make_batch()
    wake(model)
    fake = model.translate(batch["ct"]).detach()
    before = model.field(fake, batch["pet"], batch["mask"])
    model.mean_field += torch.tensor([1.0, -2.0, 0.5])
    moved = before - model.field(fake, batch["pet"], batch["mask"])
    torch.testing.assert_close(moved[0, :, 3, 4, 5], torch.tensor([1.0, -2.0, 0.5]))
    raw = model._raw_field(fake, batch["pet"], batch["mask"]).detach()
    for _ in range(300):
        model._update_mean_field(raw, batch["mask"])
    inside = model.field(fake, batch["pet"], batch["mask"]).transpose(0, 1)[:, batch["mask"][:, 0]]
    torch.testing.assert_close(inside.mean(1), torch.zeros(3), atol=0.02, rtol=0)


def test_fields_are_smooth_by_construction():
    """However rough what the network says, within the Gaussian's width a field hardly changes."""
    rough, smooth = (make_model(field_sigma_mm=sigma, initial_flow=False) for sigma in (0.0, 40.0))
    wake(rough)
    smooth.load_state_dict(rough.state_dict())
    batch = make_batch()
    fields = [model.field(batch["ct"], batch["pet"], batch["mask"]) for model in (rough, smooth)]
    steps = [field.diff(dim=4).abs().mean() for field in fields]
    assert steps[1] < 0.1 * steps[0]


def test_an_untrained_generator_answers_suv_zero():
    assert (make_model().translate(make_batch()["ct"]) == 0).all()
