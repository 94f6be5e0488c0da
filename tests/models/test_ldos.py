import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from ldos_models import make, make_batch
from scipy.ndimage import gaussian_filter
from tiny_models import START, random_weights

from ct2pet.errors import PlansError
from ct2pet.losses.denoising_segmentation import denoising_loss, organ_mean_loss, segmentation_loss


def loss_at(model, batch, fraction):
    (update,) = model.training_step(batch, replace(START, fraction=fraction))
    return update


def residuals_added(residuals, low):
    """In SUV / 10: the smoothed low-dose PET and the residuals in units of its deviation, by SciPy and NumPy."""
    smoothed = torch.stack([torch.from_numpy(smooth(one[0].numpy())[None]) for one in low])
    deviation = torch.from_numpy(low.numpy().std(axis=(2, 3, 4), keepdims=True, ddof=1))
    pool = torch.nn.functional.adaptive_avg_pool3d
    return [deviation * one + pool(smoothed, one.shape[2:]) for one in residuals]


def smooth(image):
    """A Gaussian of 2 voxels FWHM, of which only the part inside counts."""
    inside = gaussian_filter(np.ones_like(image), 0.85, mode="constant", truncate=8)
    return gaussian_filter(image, 0.85, mode="constant", truncate=8) / inside


def test_the_loss_of_ldos_is_decayed_denoising_plus_segmentation():
    model, batch = make(lambda_denoising=3.0, lambda_organ_suv=0.5, lambda_segmentation=2.0), make_batch()
    batch["organs"][:, :, 3:] = 0  # rare labels weigh more
    batch["mask"][:, :, :, :4] = False
    random_weights(model)
    outputs = dict(zip(("PET", "organs"), model.network_of_both(batch["PET_low"])))
    images = residuals_added(outputs["PET"], (batch["PET_low"] + 1) / 2)
    l1 = 10 * denoising_loss(images, batch["PET"], batch["mask"])  # SUV 0 to 10 is 0 to 1
    inside = batch["organs"] * batch["mask"]
    organs = organ_mean_loss(images[0], batch["PET"], inside, 3, 0.01)
    overlap = segmentation_loss(outputs["organs"], batch["organs"], 0.5)
    for fraction in (0.0, 0.4, 1.0):
        update = loss_at(model, batch, fraction)
        torch.testing.assert_close(update.loss, 2 * overlap + math.exp(-fraction) * (3 * l1 + 0.5 * organs))


def test_a_loss_without_a_weight_is_not_computed():
    model, batch = make(lambda_organ_suv=0.0, lambda_segmentation=0.0), make_batch()
    assert set(loss_at(model, batch, 0.0).losses) == {"l1"}
    with pytest.raises(PlansError, match="needs a weight"):
        make(lambda_denoising=0.0, lambda_organ_suv=0.0, lambda_segmentation=0.0)


def test_the_decay_is_the_papers_over_its_500_epochs():
    model, batch = make(lambda_segmentation=0.0), make_batch()
    random_weights(model)
    first, later = (loss_at(model, batch, epoch / 500).loss.item() for epoch in (0, 350))
    assert later / first == pytest.approx(math.exp(-0.002 * 350))


def test_without_weights_of_its_head_the_residual_model_only_smooths_the_low_dose_pet():
    model, batch = make(), make_batch()
    for name, parameter in model.named_parameters():
        if "decoders.0.seg_layers" in name:
            torch.nn.init.zeros_(parameter)
    model.eval()
    (expected,) = residuals_added([torch.zeros_like(batch["PET"])], (batch["PET_low"] + 1) / 2)
    torch.testing.assert_close(model.predict(batch)["PET"], expected)


def test_without_denoising_only_the_encoder_and_the_decoder_of_labels_learn():
    model, batch = make(lambda_denoising=0.0, lambda_organ_suv=0.0), make_batch()
    random_weights(model)
    loss_at(model, batch, 0.0).loss.backward()
    still = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert {name for name, _ in model.named_parameters() if "decoders.0." in name} <= still
    assert not any("encoder." in name for name in still if "weight" in name)


def test_the_state_dict_of_ldos_contains_each_tensor_once():
    model = make()
    pointers = [tensor.data_ptr() for tensor in model.state_dict().values()]
    assert len(pointers) == len(set(pointers))


def test_the_optimizer_is_a_choice():
    adam, sgd = (make(optimizer=name).optimizers()["network"] for name in ("adam", "sgd"))
    assert isinstance(adam, torch.optim.Adam)
    assert isinstance(sgd, torch.optim.SGD)
    assert sgd.defaults["nesterov"]
    assert sgd.defaults["momentum"] == 0.99
    with pytest.raises(PlansError, match="'lion' does not exist; there are adam and sgd"):
        make(optimizer="lion")


def test_the_validation_dice_counts_the_labels_that_occur():
    model, batch = make(), make_batch()
    batch["organs"] = torch.zeros_like(batch["organs"])
    batch["organs"][0, :, :8] = 1

    def predict(inputs):
        logits = torch.zeros(2, 3, 16, 16, 16)
        logits[0, 1, :4] = 9.0  # half of the liver; in the second sample nothing
        return {"PET": batch["PET"] + 0.25, "organs": logits}

    model.predict = predict
    found = model.validation_step(batch)
    assert (found["dice"].total, found["dice"].weight) == (pytest.approx(2 / 3), 1)
    mean = found["mae_suv"]
    assert mean.total / mean.weight * mean.scale == pytest.approx(2.5)


def test_doubled_counts_per_suv_double_the_denoised_pet():
    """Instance norms take the scale of their input; the standard deviation of the input brings it back."""
    model, batch = make(), make_batch()
    random_weights(model)
    model.eval()
    low = (batch["PET_low"] + 1) / 2
    once, twice = (model.predict({"PET_low": factor * low * 2 - 1})["PET"] for factor in (10, 20))
    torch.testing.assert_close(twice, 2 * once, rtol=5e-3, atol=1e-2)
