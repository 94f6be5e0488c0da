"""The regression with the features of a segmenter: when the segmenter learns, and what its features change."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import FIELDS, tiny_configuration
from tiny_models import START, random_weights, touched_by

METHODS = Path(__file__).parents[3] / "benchmarks" / "methods"
LATER = replace(START, step=10)


@pytest.fixture
def model(monkeypatch):
    monkeypatch.syspath_prepend(str(METHODS))
    torch.manual_seed(0)
    method = importlib.import_module("segmenter_features").FeatureRegression
    made = method(tiny_configuration(), FIELDS, {"segmenter_steps": 10})
    random_weights(made.generator)
    return made


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    ct, pet = torch.rand(2, 2, 1, 16, 16, 16, generator=generator)
    mask = torch.zeros(2, 1, 16, 16, 16, dtype=torch.bool)
    mask[..., 2:] = True
    return {"CT": ct, "PET": pet, "mask": mask, "lesions": pet > 0.9}


def test_the_segmenter_learns_first_and_the_generator_always(model, batch):
    assert [touched_by(model, update) for update in model.training_step(batch, START)] == [{"segmenter"}, {"generator"}]
    assert [touched_by(model, update) for update in model.training_step(batch, LATER)] == [{"generator"}]


def test_the_features_count_after_the_segmenter_has_learned(model, batch):
    *_, before = model.training_step(batch, START)
    (after,) = model.training_step(batch, LATER)
    assert before.losses["g_features"] == 0
    torch.testing.assert_close(after.loss - before.loss, after.losses["g_features"])
    assert after.losses["g_features"] > 0


def test_equal_pets_have_no_distance_and_voxels_outside_the_district_do_not_count(model, batch):
    model.segmenter.eval()
    pet, mask = batch["PET"], batch["mask"]
    assert model.feature_distance(pet * mask, pet * mask) == 0
    (update,) = model.training_step(batch, LATER)
    (other,) = model.training_step({**batch, "PET": pet.where(mask, pet + 5)}, LATER)
    torch.testing.assert_close(other.losses["g_features"], update.losses["g_features"])
