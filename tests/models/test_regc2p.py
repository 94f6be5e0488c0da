from dataclasses import replace

import pytest
import torch
from tiny import tiny_configuration

from ct2pet.errors import PlansError
from ct2pet.models import load_model
from ct2pet.preprocessing.normalization import pet_as_input


def make_model(**hyperparameters):
    torch.manual_seed(0)
    return load_model("regc2p")(tiny_configuration(), hyperparameters)


def make_batch(*shape):
    ct = torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    return {"ct": ct, "pet": ct.abs(), "mask": torch.ones(ct.shape, dtype=torch.bool)}


def test_the_first_stage_sees_slices_and_the_second_one_stacks():
    stages = make_model().stages
    assert list(stages) == ["slices", "refinement"]
    for stage, shape in zip(stages.values(), [(16, 16), (16, 16, 16)]):
        assert stage.flat(torch.zeros(2, 1, *stage.planned.patch_size)).shape == (2, 1, *shape)
        assert stage.translate(make_batch(*shape)["ct"]).shape == (2, 1, *shape)
        assert next(stage.training_step(make_batch(*shape))).optimizer == "generator"


def test_an_untrained_refinement_hands_through_what_it_gets():
    pet = torch.rand(1, 1, 16, 16, 16)
    torch.testing.assert_close(make_model().stages["refinement"].translate(pet_as_input(pet)), pet)


def test_the_second_stage_has_a_registration_but_no_discriminator():
    stage = make_model().stages["refinement"]
    assert list(stage.optimizers()) == ["generator"]
    (update,) = stage.training_step(make_batch(16, 16, 16))
    assert set(update.losses) == {"g_l1", "g_smooth"}


def test_registration_refinement_and_overlap_can_be_switched_off():
    assert list(make_model(refinement=False).stages) == ["slices"]
    assert all("mean_field" not in stage.state_dict() for stage in make_model(registration=False).stages.values())
    assert make_model(overlap=0.0).stages["refinement"].planned.tile_overlap == 0.0
    assert make_model().stages["refinement"].planned.tile_overlap == 0.5


def test_one_state_holds_both_stages_and_their_registration():
    names = {tuple(name.split(".")[:3]) for name in make_model().state_dict()}
    slices = {("parts", "slices", n) for n in ("generator", "discriminator", "registration", "mean_field")}
    assert names == slices | {("parts", "refinement", n) for n in ("generator", "registration", "mean_field")}


def test_the_whole_is_neither_trained_nor_asked_at_once():
    for call in (lambda m: m.optimizers(), lambda m: m.training_step({}), lambda m: m.translate(torch.zeros(1))):
        with pytest.raises(TypeError, match="stages"):
            call(make_model())


def test_plans_without_slices_are_refused():
    with pytest.raises(PlansError, match="no slices"):
        load_model("regc2p")(replace(tiny_configuration(), slices=None))
