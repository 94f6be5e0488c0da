from dataclasses import replace

import pytest
import torch
from field_sets import LOW_PET, TWO_INPUTS
from hand_models import Scaled
from tiny import CT_WINDOW, FIELDS, SUV_WINDOW, tiny_configuration

from ct2pet.dataset import Field, Fields
from ct2pet.dataset.fields import CT, TARGET
from ct2pet.models.base.translation import Images

TO_CT = Fields((LOW_PET, Field("CT", TARGET, CT)))


class Summed(Scaled):
    """The target is the sum of all inputs."""

    def translate(self, inputs):
        return self.factor * inputs.sum(1, keepdim=True)


def make_batch(*names):
    random = torch.Generator().manual_seed(0)
    batch = {name: torch.rand(3, 1, 4, 4, 4, generator=random) for name in names}
    return batch | {"mask": torch.rand(3, 1, 4, 4, 4, generator=random) < 0.4}


def test_inputs_become_channels_in_the_order_of_the_fields():
    batch = make_batch("PET", "low_PET", "CT")
    images = Summed(tiny_configuration(), TWO_INPUTS).images(batch)
    assert isinstance(images, Images)
    assert torch.equal(images.inputs, torch.cat([batch["CT"], batch["low_PET"]], dim=1))
    assert torch.equal(images.target, batch["PET"])


def test_the_targets_mask_is_its_own_where_the_batch_has_one():
    model, batch = Summed(tiny_configuration(), TWO_INPUTS), make_batch("PET", "low_PET", "CT")
    assert torch.equal(model.images(batch).target_mask, batch["mask"])
    other = ~batch["mask"]
    images = model.images({**batch, "target_mask": other})
    assert torch.equal(images.target_mask, other)
    assert torch.equal(images.mask, batch["mask"])


def test_a_prediction_is_the_translation_of_all_inputs_under_the_targets_name():
    batch = make_batch("low_PET", "CT")
    found = Summed(tiny_configuration(), TWO_INPUTS).predict(batch)
    assert list(found) == ["PET"]
    torch.testing.assert_close(found["PET"], batch["CT"] + batch["low_PET"])


@pytest.mark.parametrize(("clip_range", "scale"), [([0.0, 1.0], 10.0), ([-1.0, 1.0], 5.0)])
def test_the_monitor_is_the_mean_absolute_error_inside_the_district_in_suv(clip_range, scale):
    window = replace(SUV_WINDOW, range=clip_range)
    configuration = tiny_configuration(normalization={"CT": CT_WINDOW, "PET": window})
    model, batch = Scaled(configuration, FIELDS), make_batch("PET", "CT")
    with torch.no_grad():
        mean = model.validation_step(batch)["mae_suv"]
    errors = ((batch["CT"] + 1) / 2 - batch["PET"]).abs()[batch["mask"]]
    assert model.monitor == "mae_suv"
    assert mean.weight == len(errors)
    assert mean.scale * mean.total / mean.weight == pytest.approx(scale * float(errors.mean()))


def test_of_a_predicted_ct_the_monitor_is_in_hu():
    configuration = tiny_configuration(normalization={"CT": CT_WINDOW, "low_PET": SUV_WINDOW})
    model, batch = Summed(configuration, TO_CT), make_batch("low_PET", "CT")
    with torch.no_grad():
        mean = model.validation_step(batch)["mae_hu"]
    errors = (batch["low_PET"] - batch["CT"]).abs()[batch["mask"]]
    assert model.monitor == "mae_hu"
    assert mean.scale * mean.total / mean.weight == pytest.approx(500 * float(errors.mean()))  # 2 units are 1000 HU
