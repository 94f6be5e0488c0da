from dataclasses import replace

import pytest
import torch
from tiny import FIELDS, tiny_configuration
from tiny_models import losses_of, tiny_model, touched_by, updates

from ct2pet.models import load_model
from ct2pet.networks import optical_flow, warp


class RegGAN2D(load_model("reggan")):
    """In 2D, where a training takes a few seconds."""

    requirements = replace(load_model("reggan").requirements, dimensions=2)


def make_batch(shape=(16, 16, 16), seed=0):
    generator = torch.Generator().manual_seed(seed)
    ct = torch.randn(2, 1, *shape, generator=generator)
    mask = torch.zeros(ct.shape, dtype=torch.bool)
    mask[..., 3:13] = True
    return {"CT": ct, "PET": ct.abs(), "mask": mask}


def make_model(**hyperparameters):
    return tiny_model("reggan", **hyperparameters)


def randomise(model):
    """Give generator and registration random weights, also in their last layers, which begin with zeros."""
    for name, parameter in model.named_parameters():
        if not name.startswith("discriminator"):
            torch.nn.init.normal_(parameter, std=0.05)


def test_generator_and_registration_step_together_and_the_discriminator_by_itself():
    model = make_model()
    randomise(model)
    steps = [(update.optimizer, touched_by(model, update)) for update in updates(model, make_batch())]
    assert steps == [("generator", {"generator", "registration"}), ("discriminator", {"discriminator"})]
    optimizers = model.optimizers()
    trained = {id(p) for group in optimizers["generator"].param_groups for p in group["params"]}
    assert trained == {id(p) for network in (model.generator, model.registration) for p in network.parameters()}


def test_the_loss_is_its_parts_by_the_paper():
    model = make_model(lambda_correction=7.0, lambda_smooth=3.0, lambda_adversarial=0.5)
    randomise(model)
    update = next(updates(model, make_batch()))
    parts = update.losses
    expected = 7 * 2 * parts["g_l1"] + 3 * parts["g_smooth"] + 0.5 * parts["g_adversarial"]
    torch.testing.assert_close(update.loss, expected)
    assert parts["g_smooth"] > 0


def test_an_untrained_registration_is_the_identity():
    with_registration, without = make_model(initial_flow=False), make_model(registration=False)
    without.load_state_dict(with_registration.state_dict(), strict=False)
    losses = [next(updates(model, make_batch())).losses["g_l1"] for model in (with_registration, without)]
    torch.testing.assert_close(*losses)
    assert without.registration is None


def test_the_fake_is_compared_where_it_is_moved_to(monkeypatch):
    """A PET that is the fake moved by two voxels costs nothing where the registration finds two voxels."""
    model, batch = make_model(), make_batch()
    randomise(model)
    field = torch.zeros(2, 3, 16, 16, 16)
    field[:, 2] = 2.0
    batch["PET"] = warp(model.translate(batch["CT"]).detach(), field)
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: field)
    assert next(updates(model, batch)).losses["g_l1"] < 1e-6
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: -field)
    assert next(updates(model, batch)).losses["g_l1"] > 1e-3


def test_the_loss_counts_voxels_by_the_district_of_the_real_pet(monkeypatch):
    """Real voxels beyond the edge of the district never count. Fake voxels that are moved in from there do, but not
    those from beyond the patch."""
    model, batch = make_model(), make_batch()
    randomise(model)
    field = torch.full((2, 3, 16, 16, 16), 2.0)
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: field)
    elsewhere = {**batch, "PET": torch.where(batch["mask"], batch["PET"], torch.tensor(99.0))}
    assert losses_of(model, batch) == losses_of(model, elsewhere)
    fake = model.translate(batch["CT"])
    near, far = (slice(None), slice(None), *[slice(0, 14)] * 3), (slice(None), slice(None), *[slice(2, 16)] * 3)
    counted = batch["mask"][near]
    assert counted.sum() < batch["mask"].sum()
    expected = (fake[far] - batch["PET"][near])[counted].abs().mean()
    torch.testing.assert_close(next(updates(model, batch)).losses["g_l1"], expected)


def test_the_discriminator_gets_fakes_displaced_like_the_real_pets(monkeypatch):
    """Otherwise the displacement of a real PET against the mask of the CT would tell it from a fake."""
    model, batch = make_model(), make_batch()
    randomise(model)
    field = torch.full((2, 3, 16, 16, 16), 1.0)
    monkeypatch.setattr(model, "_subtract_mean_field", lambda raw: field)
    seen = []
    model.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    [*updates(model, batch)]
    fake, mask = warp(model.translate(batch["CT"]), field) * batch["mask"], batch["mask"]
    torch.testing.assert_close(seen[0], fake)
    torch.testing.assert_close(seen[1], torch.cat([batch["PET"] * mask, fake]))


def learn(model, batches, steps):
    optimizers = model.optimizers()
    for number in range(steps):
        for update in updates(model, batches[number % len(batches)]):
            optimizers[update.optimizer].zero_grad()
            update.loss.backward()
            optimizers[update.optimizer].step()


def displaced_batch(shifts):
    """The same image twice, whose PETs are displaced along X by so many voxels."""
    y, x = torch.meshgrid(*[torch.arange(16.0)] * 2, indexing="ij")
    ct = (torch.sin(0.5 * y) + torch.sin(0.7 * x)).expand(2, 1, 16, 16)
    field = torch.zeros(2, 2, 16, 16)
    field[0, 1], field[1, 1] = shifts
    return {"CT": ct, "PET": warp((ct + 2) / 4, field), "mask": torch.ones(ct.shape, dtype=torch.bool)}


@pytest.mark.numerics
@pytest.mark.parametrize("initial_flow", [True, False])
def test_reggan_finds_the_displacement_of_pets(initial_flow, monkeypatch):
    """The direction, and most of the distance. The generator is right from the beginning, so that the registration
    alone is trained: together they take hundreds of steps, through which every rounding grows."""
    torch.manual_seed(0)
    batch = displaced_batch((1.5, -1.5))
    numbers = {"learning_rate": 1e-2, "lambda_adversarial": 0.0, "field_sigma_mm": 20.0, "initial_flow": initial_flow}
    model = RegGAN2D(tiny_configuration(), FIELDS, numbers)
    fake = (batch["CT"] + 2) / 4
    monkeypatch.setattr(model, "translate", lambda ct: fake)
    learn(model, [batch], 100)
    first, second = model.field(fake, batch["PET"], batch["mask"])[:, 1].mean((1, 2)).tolist()
    assert 0.6 < first < 2.4
    assert -2.4 < second < -0.6


def test_the_network_corrects_the_optical_flow():
    """An untrained network adds nothing to the flow; its inputs are the fake moved by the flow and the real PET."""
    batch = displaced_batch((1.0, -0.5))
    model = RegGAN2D(tiny_configuration(), FIELDS, {"field_sigma_mm": 30.0})
    sigma = [30.0 / mm for mm in model.planned.spacing[1:]]
    fake = (batch["CT"] + 2) / 4
    flow = optical_flow(fake, batch["PET"], batch["mask"], sigma)
    assert flow.abs().max() > 0.3
    torch.testing.assert_close(model.field(fake, batch["PET"], batch["mask"]), flow)

    seen = []
    model.registration.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.field(fake, batch["PET"], batch["mask"])
    torch.testing.assert_close(seen[0], torch.cat([warp(fake, flow), batch["PET"]], dim=1))


def test_the_fake_beyond_the_district_does_not_change_the_field():
    model, batch = make_model(), make_batch()
    randomise(model)
    fake = model.translate(batch["CT"]).detach()
    other = torch.where(batch["mask"], fake, 99.0)
    fields = [model.field(f, batch["PET"], batch["mask"]) for f in (fake, other)]
    torch.testing.assert_close(*fields)


def test_the_mean_field_is_that_of_the_district():
    model, batch = make_model(), make_batch()
    raw = torch.zeros(2, 3, 16, 16, 16)
    raw[:, 1] = torch.where(batch["mask"][:, 0], 4.0, 99.0)
    model._update_mean_field(raw, batch["mask"])
    torch.testing.assert_close(model.mean_field, torch.tensor([0.0, 0.02 * 4.0, 0.0]))


def test_the_mean_of_all_fields_is_subtracted_from_each():
    """The displacement that all PETs share cannot be told from the anatomy, so that the fields have no mean."""
    model, batch = make_model(), make_batch()
    randomise(model)
    fake = model.translate(batch["CT"]).detach()
    before = model.field(fake, batch["PET"], batch["mask"])
    model.mean_field += torch.tensor([1.0, -2.0, 0.5])
    moved = before - model.field(fake, batch["PET"], batch["mask"])
    torch.testing.assert_close(moved[0, :, 3, 4, 5], torch.tensor([1.0, -2.0, 0.5]))
    raw = model._raw_field(fake, batch["PET"], batch["mask"]).detach()
    for _ in range(300):
        model._update_mean_field(raw, batch["mask"])
    inside = model.field(fake, batch["PET"], batch["mask"]).transpose(0, 1)[:, batch["mask"][:, 0]]
    torch.testing.assert_close(inside.mean(1), torch.zeros(3), atol=0.02, rtol=0)


def test_fields_are_smooth_for_any_weights():
    """Within the Gaussian's width a field hardly changes, also that of a network with random weights."""
    rough, smooth = (make_model(field_sigma_mm=sigma, initial_flow=False) for sigma in (0.0, 40.0))
    randomise(rough)
    smooth.load_state_dict(rough.state_dict())
    batch = make_batch()
    fields = [model.field(batch["CT"], batch["PET"], batch["mask"]) for model in (rough, smooth)]
    steps = [field.diff(dim=4).abs().mean() for field in fields]
    assert steps[1] < 0.1 * steps[0]


def test_an_untrained_generator_answers_suv_zero():
    assert (make_model().translate(make_batch()["CT"]) == 0).all()
