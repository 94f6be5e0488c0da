from dataclasses import replace

import pytest
import torch
from field_sets import TWO_INPUTS, WITH_LABELS
from tiny import FIELDS, tiny_plans
from tiny_models import losses_of, random_weights, tiny_model, touched_by, updates

from ct2pet.dataset import Fields
from ct2pet.errors import PlansError, PluginError
from ct2pet.models import build_method, load_model, model_names


def make_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    ct = torch.randn(2, 1, 16, 16, 16, generator=generator)
    mask = torch.zeros(2, 1, 16, 16, 16, dtype=torch.bool)
    mask[..., 4:12] = True
    return {"CT": ct, "PET": ct.abs(), "mask": mask}


def make_model(**hyperparameters):
    return tiny_model("pix2pix", **hyperparameters)


def test_each_update_reaches_its_own_network_only():
    model = make_model()
    random_weights(model.generator)
    for update in updates(model, make_batch()):
        assert touched_by(model, update) == {update.optimizer}


@pytest.mark.parametrize("lambda_l2", [0.0, 3.0])  # 0: by the paper
def test_the_generators_loss_is_its_parts(lambda_l2):
    model = make_model(lambda_l1=7.0, lambda_l2=lambda_l2)
    random_weights(model.generator)
    _, update = updates(model, make_batch())
    parts = update.losses
    torch.testing.assert_close(update.loss, parts["g_adversarial"] + 7.0 * parts["g_l1"] + lambda_l2 * parts["g_l2"])
    assert parts["g_l2"] > 0


def test_nothing_outside_the_district_reaches_the_losses():
    model = make_model()
    random_weights(model.generator)
    batch = make_batch()
    elsewhere = {**batch, "PET": torch.where(batch["mask"], batch["PET"], torch.tensor(99.0))}
    assert losses_of(model, batch) == losses_of(model, elsewhere)


@pytest.mark.numerics
def test_pix2pix_learns_a_translation():
    model = make_model(learning_rate=3e-3)
    optimizers, batch = model.optimizers(), make_batch()
    l1 = []
    for _ in range(40):
        for update in updates(model, batch):
            optimizers[update.optimizer].zero_grad()
            update.loss.backward()
            optimizers[update.optimizer].step()
        l1.append(update.losses["g_l1"].item())
    assert l1[-1] < 0.6 * l1[0]


def test_an_untrained_generator_answers_suv_zero():
    assert (make_model().translate(make_batch()["CT"]) == 0).all()


def test_generator_and_discriminator_receive_both_inputs():
    """Each network sees the inputs in the order of the fields, and a change of any of them changes the losses."""
    model, seen = tiny_model("pix2pix", fields=TWO_INPUTS), {"generator": [], "discriminator": []}
    random_weights(model.generator)
    batch = {**make_batch(), "low_PET": make_batch(1)["CT"]}
    for name, inputs in seen.items():
        getattr(model, name).register_forward_pre_hook(lambda _, given, inputs=inputs: inputs.append(given[0].detach()))
    before = losses_of(model, batch)
    pair = torch.cat([batch["CT"], batch["low_PET"]], dim=1)
    assert torch.equal(seen["generator"][0], pair)
    assert torch.equal(seen["discriminator"][0][:2], torch.cat([pair, batch["PET"] * batch["mask"]], dim=1))
    for name in ("CT", "low_PET"):
        assert losses_of(model, {**batch, name: batch[name] + 1}) != before
    predicted = model.predict({name: batch[name] for name in ("CT", "low_PET")})
    torch.testing.assert_close(predicted["PET"], model.translate(pair))


def test_the_optimizers_take_the_plans_numbers():
    optimizers = make_model(learning_rate=5e-4, discriminator_learning_rate=1e-4, beta1=0.3).optimizers()
    groups = {name: optimizer.param_groups[0] for name, optimizer in optimizers.items()}
    assert (groups["generator"]["lr"], groups["discriminator"]["lr"]) == (5e-4, 1e-4)
    assert groups["generator"]["betas"] == (0.3, 0.999)


def test_unknown_hyperparameters_methods_and_schedules_are_refused():
    with pytest.raises(PlansError, match="lamda"):
        make_model(lamda=1)
    with pytest.raises(PlansError, match="the schedule 'cosine' does not exist; there are linear and polynomial"):
        make_model(schedule="cosine")
    with pytest.raises(PluginError, match="pix2pix"):
        load_model("pix2pixx")
    assert "pix2pix" in model_names()


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"num_epochs": 0}, "num_epochs: expected a number of at least 1, not 0"),
        ({"learning_rate": -1}, "learning_rate: expected a number above 0, not -1"),
        ({"beta1": 1.0}, "beta1: expected a number below 1"),
        ({"lambda_l1": "much"}, "lambda_l1: expected a number, not"),
        ({"clip_norm": None}, "clip_norm: expected a number, not null"),
    ],
)
def test_wrong_numbers_are_named_with_the_file_of_the_plans(numbers, reason):
    plans = replace(tiny_plans(), models={"pix2pix": numbers})
    with pytest.raises(PlansError, match=rf"^mine\.json: the method's numbers \(under models\): {reason}"):
        build_method("pix2pix", plans, "trunk", "mine.json")


def test_fields_that_it_cannot_take_are_refused_in_one_line():
    with pytest.raises(PlansError, match=r"Pix2Pix takes 0 target label map\(s\), and the dataset has 1"):
        tiny_model("pix2pix", fields=WITH_LABELS)
    two_targets = Fields((*FIELDS, replace(FIELDS["PET"], name="late_PET")))
    with pytest.raises(PlansError, match=r"Pix2Pix takes 1 target image\(s\), and the dataset has 2"):
        tiny_model("pix2pix", fields=two_targets)
    with pytest.raises(PlansError, match=r"Pix2Pix takes at least 1 input image\(s\), and the dataset has 0"):
        tiny_model("pix2pix", fields=Fields((FIELDS["PET"],)))


def test_the_whole_patch_counts_where_the_plans_say_so():
    """With a generator that answers 1 everywhere: all voxels outside the district, where the PET is 0, cost 1."""
    model, batch = make_model(loss_region="patch"), make_batch()
    batch = {**batch, "PET": torch.where(batch["mask"], torch.tensor(1.0), torch.tensor(0.0))}
    model.generator = torch.nn.Sequential(torch.nn.Conv3d(1, 1, 1))
    torch.nn.init.zeros_(model.generator[0].weight)
    torch.nn.init.ones_(model.generator[0].bias)
    _, update = updates(model, batch)
    assert update.losses["g_l1"].item() == pytest.approx(float((~batch["mask"]).float().mean()))
    elsewhere = {**batch, "PET": torch.where(batch["mask"], batch["PET"], torch.tensor(0.5))}
    assert losses_of(model, batch) != losses_of(model, elsewhere)


def test_the_networks_begin_as_those_of_isola_where_the_plans_say_so():
    model = make_model(initialization="normal")
    for network in (model.generator, model.discriminator):
        weights = torch.cat([p.flatten() for p in network.parameters() if p.ndim > 1])
        error = 5 * 0.02 / len(weights) ** 0.5  # five standard errors of a mean, and more than those of a deviation
        assert abs(weights.mean().item()) < error
        assert abs(weights.std().item() - 0.02) < error
    assert (model.translate(make_batch()["CT"]) != 0).any()


@pytest.mark.parametrize(("name", "value"), [("loss_region", "body"), ("initialization", "xavier")])
def test_unknown_choices_are_refused(name, value):
    with pytest.raises(PlansError, match=f"the {name} '{value}' does not exist; there are"):
        make_model(**{name: value})
