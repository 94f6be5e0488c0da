"""MedScanGAN: what its updates cost and train, and what its samples depend on."""

from dataclasses import replace

import pytest
import torch
from tiny import tiny_configuration
from tiny_models import START, tiny_model, touched_by

from ct2pet.dataset import Field, Fields
from ct2pet.errors import PlansError
from ct2pet.planning.configuration import Normalization, Slices
from ct2pet.planning.networks import NetworkSize, plan_network
from ct2pet.planning.topology import unet_topology

DIAGNOSIS = Field("diagnosis", "condition", "category", labels={"benign": 0, "malignant": 1})
FIELDS = Fields((Field("PET", "target", "pet"), Field("CT", "target", "ct"), DIAGNOSIS))


CGAN_NETWORKS, DCGAN_NETWORKS = ("class_generator", "class_critic"), ("dcgan_generator", "dcgan_critic")


def make(fields=FIELDS, recipes=None, **hyperparameters):
    recipes = recipes or (DCGAN_NETWORKS if hyperparameters.get("variant") == "dcgan" else CGAN_NETWORKS)
    size = NetworkSize([16, 16], unet_topology([16, 16], [4.0, 4.0], 5), 4, 16)
    windows = {
        "PET": Normalization(0.0, 10.0, False, [0.0, 1.0]),
        "CT": Normalization(-1000.0, 400.0, True, [-1.0, 1.0]),
    }
    networks = {role: plan_network(recipe, size) for role, recipe in zip(CGAN_NETWORKS, recipes)}
    slices = Slices([16, 16], 4, networks)
    return tiny_model("medscangan", tiny_configuration(normalization=windows, slices=slices), fields, **hyperparameters)


def make_batch(number=8):
    random = torch.Generator().manual_seed(1)
    pet, ct = torch.rand(2, number, 1, 16, 16, generator=random)
    return {"PET": pet, "CT": ct, "diagnosis": torch.arange(number) % 2}


def at(step):
    return replace(START, step=step)


def test_each_update_trains_its_own_network():
    model = make()
    steps = model.training_step(make_batch(), START)
    critic = next(steps)
    assert (critic.optimizer, critic.clip) == ("critic", False)
    assert touched_by(model, critic) == {"critic"}
    generator = next(steps)
    assert generator.optimizer == "generator"
    assert touched_by(model, generator) == {"generator"}
    assert all(p.requires_grad for p in model.parameters()) is False  # frozen until the training step goes on
    assert next(steps, None) is None
    assert all(p.requires_grad for p in model.parameters())


def test_the_generator_is_trained_once_in_n_critic_steps():
    model, batch = make(n_critic=3), make_batch()
    names = ["".join(update.optimizer[0] for update in model.training_step(batch, at(step))) for step in range(7)]
    assert names == ["cg", "c", "c", "cg", "c", "c", "cg"]


WASSERSTEIN = {"loss": "wgan_gp", "class_head": "auxiliary"}
DCGAN = {"variant": "dcgan", "loss": "wgan_gp", "spectral_norm": True}
VARIANTS = [
    WASSERSTEIN,
    DCGAN,
    {"loss": "wgan_gp"},
    {"loss": "r3gan"},
    {"loss": "r3gan", "class_head": "auxiliary"},
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_losses_are_the_sums_of_their_weighted_parts(variant):
    numbers = {"lambda_penalty": 7.0, "lambda_class": 2.0, "lambda_diversity": 3.0}
    critic, generator = make(**numbers, **variant).training_step(make_batch(), START)
    named = variant.get("class_head") == "auxiliary"
    penalty = 7 if variant["loss"] == "wgan_gp" else 3.5
    parts = critic.losses
    expected = parts["c_adversarial"] + penalty * parts["c_penalty"] + (2 * parts["c_class"] if named else 0)
    torch.testing.assert_close(critic.loss, expected)
    parts = generator.losses
    expected = parts["g_adversarial"] + 3 * parts["g_diversity"] + (2 * parts["g_class"] if named else 0)
    torch.testing.assert_close(generator.loss, expected)
    assert ("c_class" in critic.losses, "g_class" in parts) == (named, named)


def test_the_score_of_a_projection_is_that_of_the_images_class():
    model, images = make().eval(), torch.rand(4, 2, 16, 16)
    scores, logits = model.critic(images)
    classes = torch.tensor([0, 1, 1, 0])
    torch.testing.assert_close(model._score(images, classes), scores + logits[torch.arange(4), classes])
    torch.testing.assert_close(make(class_head="auxiliary").eval()._score(images, classes), scores)


def test_a_dcgan_is_scored_by_the_critic_of_the_images_class():
    model, images = make(variant="dcgan", class_head="auxiliary").eval(), torch.rand(4, 2, 16, 16)
    classes = torch.tensor([0, 1, 1, 0])
    torch.testing.assert_close(model._score(images, classes), model.critic(images)[torch.arange(4), classes])
    parts = [update.losses for update in model.train().training_step(make_batch(), START)]
    assert not any(name.endswith("_class") for own in parts for name in own)  # no head names the class


def test_a_dcgan_learns_nothing_from_images_of_the_other_class():
    model, batch = make(**DCGAN), make_batch()
    batch["diagnosis"] = torch.zeros(8, dtype=torch.int64)
    other = {name: value.clone() for name, value in model.state_dict().items() if ".of_class.1." in name}
    optimizers = model.optimizers()
    for update in model.training_step(batch, START):
        optimizers[update.optimizer].zero_grad()
        update.loss.backward()
        optimizers[update.optimizer].step()
    found = model.state_dict()
    trained = [
        name for name in other if "parametrizations" not in name or "original" in name
    ]  # not spectral norm's own
    assert any(name.startswith("generator") for name in trained)
    assert all(torch.equal(found[name], other[name]) for name in trained)
    assert not torch.equal(
        found["generator.of_class.0.0.weight"], make(**DCGAN).state_dict()["generator.of_class.0.0.weight"]
    )


@pytest.mark.parametrize(
    ("variant", "recipes"),
    [("dcgan", CGAN_NETWORKS), ("cgan", DCGAN_NETWORKS), ("dcgan", ("dcgan_generator", "class_critic"))],
)
def test_a_variant_without_its_networks_is_refused(variant, recipes):
    with pytest.raises(PlansError, match=f"variant '{variant}': the plans' networks"):
        make(variant=variant, recipes=recipes)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_penalty_is_float32_under_autocast(variant):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        updates = list(make(**variant).training_step(make_batch(), START))
    assert {value.dtype for update in updates for value in update.losses.values()} == {torch.float32}


@pytest.mark.numerics
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_critics_updates_lower_its_cost(variant):
    model, batch = make(lambda_class=0.0, augment_critic=False, **variant), make_batch()
    batch["PET"] += 3
    optimizer, found = model.optimizers()["critic"], []
    for _ in range(15):
        update = next(model.training_step(batch, at(1)))
        optimizer.zero_grad()
        update.loss.backward()
        optimizer.step()
        found.append(update.losses["c_adversarial"].item())
    assert found[-1] < found[0]


def test_the_networks_see_the_logarithm_of_suv_and_samples_are_back_in_normalised_units():
    model, batch = make(), make_batch()
    batch["PET"][0, 0, 0, 0] = 2.5  # 25 SUV, beyond the window
    seen = model._images(batch)
    torch.testing.assert_close(seen[:, :1], torch.log1p(10 * batch["PET"]))
    torch.testing.assert_close(seen[:, 1:], batch["CT"])
    model.eval().generator.forward = lambda noise, classes: seen
    made = model.sample({"diagnosis": 0}, 8, seed=1)
    for name in ("PET", "CT"):
        torch.testing.assert_close(made[name], batch[name])
    torch.testing.assert_close(make(log_suv=False)._images(batch)[:, :1], batch["PET"])


def test_a_generated_pet_is_never_negative():
    model = make().eval()
    model.generator.forward = lambda noise, classes: torch.full((2, 2, 16, 16), -3.0)
    assert model.sample({"diagnosis": 0}, 2, seed=1)["PET"].min() == 0.0


def test_the_random_numbers_of_a_step_follow_from_torchs_state_and_the_process(monkeypatch):
    model = make()

    def drawn(rank):
        monkeypatch.setattr("ct2pet.models.medscangan.distributed.rank", lambda: rank)
        torch.manual_seed(4)
        noise = model._noise(3, model._random())
        return noise, torch.rand(1)

    (first, state), (again, _), (other, state_of_other) = drawn(0), drawn(0), drawn(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, state_of_other)  # so that the main process's checkpoint is right for all


def test_samples_depend_only_on_class_and_seed():
    model = make().eval()
    with torch.inference_mode():
        first, again = (model.sample({"diagnosis": 0}, 3, seed=5) for _ in range(2))
        other_class, other_seed = model.sample({"diagnosis": 1}, 3, seed=5), model.sample({"diagnosis": 0}, 3, seed=6)
    assert first["PET"].shape == first["CT"].shape == (3, 1, 16, 16)
    for name in ("PET", "CT"):
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other_class[name])
        assert not torch.equal(first[name], other_seed[name])
        assert not torch.equal(first[name][0], first[name][1])


def test_the_monitor_is_zero_on_average_for_real_images_and_large_for_others():
    model = make(log_suv=False).eval()
    values = {}
    for shift in (0.0, 1.0):
        found = []
        for seed in range(20):
            random = torch.Generator().manual_seed(seed)
            fake = {name: torch.rand(32, 1, 16, 16, generator=random) + shift for name in ("PET", "CT")}
            batch = {name: torch.rand(32, 1, 16, 16, generator=random) for name in ("PET", "CT")}
            model.generator.forward = lambda noise, classes, own=fake: torch.cat([own["PET"], own["CT"]], dim=1)
            mean = model.validation_step({**batch, "diagnosis": torch.arange(32) % 2})["energy_distance"]
            found.append(mean.total / mean.weight)
        values[shift] = sum(found) / len(found)
    assert abs(values[0.0]) < 0.01
    assert values[1.0] > 1.0


def test_validating_does_not_move_the_random_numbers_of_the_training():
    model = make().eval()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    model.validation_step(make_batch())
    assert torch.equal(torch.rand(1), expected)


def test_one_target_is_enough_and_inputs_are_refused():
    model = make(Fields((FIELDS["PET"], DIAGNOSIS)))
    assert set(model.sample({"diagnosis": 0}, 1, 0)) == {"PET"}
    with pytest.raises(PlansError, match=r"takes 0 input image\(s\)"):
        make(Fields((Field("CT", "input", "ct"), FIELDS["PET"], DIAGNOSIS)))


def test_n_critic_is_at_least_1():
    with pytest.raises(PlansError, match="n_critic: expected a number of at least 1, not 0"):
        make(n_critic=0)


@pytest.mark.parametrize(
    ("number", "message"),
    [({"loss": "hinge"}, "loss: expected 'wgan_gp' or 'r3gan'"), ({"class_head": "x"}, "class_head: expected")],
)
def test_an_unknown_variant_is_refused(number, message):
    with pytest.raises(PlansError, match=message):
        make(**number)
