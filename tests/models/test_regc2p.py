from dataclasses import replace

import pytest
import torch
from tiny import FIELDS, SUV_WINDOW, tiny_configuration
from tiny_models import tiny_model, updates

from ct2pet.errors import PlansError
from ct2pet.models import load_model
from ct2pet.models.base import Model
from ct2pet.preprocessing.normalization import as_input


def make_model(**hyperparameters):
    return tiny_model("regc2p", **hyperparameters)


def make_batch(stage, *shape):
    """The stage's own input and a PET."""
    image = torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    (own,) = stage.fields.inputs
    return {own.name: image, "PET": image.abs(), "mask": torch.ones(image.shape, dtype=torch.bool)}


def test_the_first_stage_gets_slices_of_the_ct_and_the_second_one_stacks_of_drafts():
    stages = make_model().stages
    assert {name: stage.fields.inputs[0].name for name, stage in stages.items()} == {
        "slices": "CT",
        "refinement": "PET_draft",
    }
    for stage, shape in zip(stages.values(), [(16, 16), (16, 16, 16)]):
        assert stage.squeezed(torch.zeros(2, 1, *stage.planned.patch_size)).shape == (2, 1, *shape)
        batch = make_batch(stage, *shape)
        assert stage.predict(batch)["PET"].shape == (2, 1, *shape)
        assert next(updates(stage, batch)).optimizer == "generator"


@pytest.mark.parametrize("suv_range", [[0.0, 1.0], [-1.0, 1.0]])
def test_an_untrained_refinement_returns_its_draft(suv_range):
    """Also where the plans normalise the PET to another range than that of drafts, which is [-1, 1]."""
    window = replace(SUV_WINDOW, range=suv_range)
    normalization = {**tiny_configuration().normalization, "PET": window}
    model = tiny_model("regc2p", tiny_configuration(normalization=normalization))
    pet = torch.rand(1, 1, 16, 16, 16)
    found = model.stages["refinement"].predict({"PET_draft": as_input(pet, window)})
    torch.testing.assert_close(found["PET"], pet)


def test_the_second_stage_has_a_registration_but_no_discriminator():
    stage = make_model().stages["refinement"]
    assert list(stage.optimizers()) == ["generator"]
    (update,) = updates(stage, make_batch(stage, 16, 16, 16))
    assert set(update.losses) == {"g_l1", "g_smooth"}


def test_registration_refinement_and_overlap_can_be_switched_off():
    assert list(make_model(refinement=False).stages) == ["slices"]
    assert all("mean_field" not in stage.state_dict() for stage in make_model(registration=False).stages.values())
    assert make_model(overlap=0.0).stages["refinement"].planned.tile_overlap == 0.0
    assert make_model().stages["refinement"].planned.tile_overlap == 0.5


def test_the_state_of_regc2p_contains_both_stages_and_the_registration():
    names = {tuple(name.split(".")[:3]) for name in make_model().state_dict()}
    slices = {("parts", "slices", n) for n in ("generator", "discriminator", "registration", "mean_field")}
    assert names == slices | {("parts", "refinement", n) for n in ("generator", "registration", "mean_field")}


def test_the_stages_are_models_and_the_whole_is_none():
    """It has no step and no prediction of its own that could be called by mistake."""
    model = make_model()
    assert not isinstance(model, Model)
    assert all(isinstance(stage, Model) for stage in model.stages.values())
    assert not any(hasattr(model, name) for name in ("optimizers", "training_step", "translate", "predict"))


def test_plans_without_slices_are_refused():
    with pytest.raises(PlansError, match="no slices"):
        load_model("regc2p")(replace(tiny_configuration(), slices=None), FIELDS)
