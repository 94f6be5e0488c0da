from dataclasses import replace

import torch
from tiny import FIELDS, SUV_WINDOW, tiny_configuration
from tiny_models import losses_of, random_weights, tiny_model, touched_by, updates

from ct2pet.models.cyclegan import CycleGAN
from ct2pet.models.pix2pix import Pix2Pix
from ct2pet.networks.resnet_generator import ResNetGenerator
from ct2pet.planning.configuration import NetworkPlan, Normalization
from ct2pet.planning.network_recipes import RESNET_GENERATOR, resnet_generator_arguments

NETWORKS = {
    "generators": {"generator", "backward_generator"},
    "discriminators": {"pet_discriminator", "ct_discriminator"},
}


def make_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    ct, pet = (torch.rand(2, 1, 16, 16, 16, generator=generator) for _ in range(2))
    mask, target_mask = (torch.zeros(2, 1, 16, 16, 16, dtype=torch.bool) for _ in range(2))
    mask[..., 4:12], target_mask[..., 2:9, :] = True, True
    return {"CT": ct, "mask": mask, "PET": pet, "target_mask": target_mask}


def make_model(**hyperparameters):
    model = tiny_model("cyclegan", **hyperparameters)
    random_weights(model)
    return model


def test_each_update_reaches_its_own_networks_only():
    model = make_model()
    for update in updates(model, make_batch()):
        assert touched_by(model, update) == NETWORKS[update.optimizer]


def test_the_generators_loss_is_its_parts_by_the_paper():
    update, _ = updates(make_model(lambda_cycle=7.0), make_batch())
    parts = update.losses
    expected = parts["g_adversarial_pet"] + parts["g_adversarial_ct"] + 7 * (parts["g_cycle_ct"] + parts["g_cycle_pet"])
    torch.testing.assert_close(update.loss, expected)


def test_no_pet_outside_its_own_mask_reaches_the_losses():
    batch = make_batch()
    elsewhere = {**batch, "PET": torch.where(batch["target_mask"], batch["PET"], torch.tensor(99.0))}
    assert losses_of(make_model(), batch) == losses_of(make_model(), elsewhere)


def test_two_translations_that_undo_each_other_have_no_cycle_loss():
    model, batch = make_model(), make_batch()
    model.generator = torch.nn.Identity()
    model.backward_generator = torch.nn.Identity()
    update = next(iter(updates(model, batch)))
    assert update.losses["g_cycle_ct"] == 0
    assert update.losses["g_cycle_pet"] == 0


def test_pet_and_ct_need_not_be_of_one_place():
    """Unpaired: another order of the PETs among the patches changes no loss of the generators."""
    batch = make_batch()
    reordered = {**batch, "PET": batch["PET"].flip(0), "target_mask": batch["target_mask"].flip(0)}
    losses = [next(iter(updates(make_model(), b))).loss for b in (batch, reordered)]
    torch.testing.assert_close(*losses)


def test_the_discriminators_see_fakes_of_earlier_updates():
    model, seen = make_model(pool_size=2), []
    model.pet_discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    for seed in range(6):
        list(updates(model, make_batch(seed)))
    own, shown = seen[0::3], seen[2::3]  # fakes for the generator, real ones, fakes for the discriminator
    assert torch.equal(own[0], shown[0])
    assert any(not torch.equal(a, b) for a, b in zip(own[1:], shown[1:]))
    known = [fake for batch in own for fake in batch]
    assert all(any(torch.equal(fake, one) for one in known) for batch in shown for fake in batch)


def test_the_training_state_of_cyclegan_contains_its_image_pools():
    model, copy = make_model(pool_size=3), make_model(pool_size=3)
    for seed in range(4):
        list(updates(model, make_batch(seed)))
    copy.load_training_state(model.training_state())
    copy.load_state_dict(model.state_dict())
    losses = []
    for one in (model, copy):
        torch.manual_seed(1)
        losses.append([loss for seed in (8, 9) for loss in losses_of(one, make_batch(seed))])
    assert losses[0] == losses[1]


def test_the_whole_patch_counts_where_the_plans_say_so():
    batch = make_batch()
    elsewhere = {**batch, "PET": torch.where(batch["target_mask"], batch["PET"], torch.tensor(99.0))}
    model = make_model(loss_region="patch")
    assert losses_of(model, batch) != losses_of(model, elsewhere)


def test_outside_the_district_a_ct_has_the_value_that_its_window_gives_to_air():
    """In a range of 0 to 1 that is 0; at -1 the discriminator could tell fakes by their surroundings alone."""
    normalization = {"CT": Normalization(-500.0, 500.0, True, [0.0, 1.0]), "PET": SUV_WINDOW}
    model = CycleGAN(tiny_configuration(normalization=normalization), FIELDS)
    seen, batch = [], make_batch()
    model.ct_discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    list(updates(model, batch))
    fake, real, _ = seen
    assert (fake[~batch["target_mask"]] == 0).all()
    assert (real[~batch["mask"]] == 0).all()


def test_plans_may_give_it_a_generator_of_its_own():
    """Pix2Pix keeps the U-Net of the same plans."""
    own = NetworkPlan(RESNET_GENERATOR, resnet_generator_arguments(3, 4, 16))
    configuration = tiny_configuration()
    plans = replace(configuration, networks={**configuration.networks, "cyclegan_generator": own})
    model = CycleGAN(plans, FIELDS)
    assert isinstance(model.generator, ResNetGenerator)
    assert isinstance(model.backward_generator, ResNetGenerator)
    assert not isinstance(Pix2Pix(plans, FIELDS).generator, ResNetGenerator)
