import torch
from tiny_models import random_weights, tiny_model, updates

from ct2pet.losses import lesion_cross_entropy, masked_l1, masked_l2


def make_batch():
    generator = torch.Generator().manual_seed(0)
    ct = torch.randn(2, 1, 16, 16, 16, generator=generator)
    mask, lesions = (torch.rand(ct.shape, generator=generator) < share for share in (0.3, 0.1))
    return {"CT": ct, "PET": ct.abs(), "mask": mask, "lesions": lesions}


def make_model(**numbers):
    model = tiny_model("lesion_regression", **numbers)
    random_weights(model)
    return model


def test_the_loss_has_three_parts_with_their_weights():
    model, batch = make_model(lambda_l2=2.0, lambda_lesion=3.0, lesion_weight=7.0), make_batch()
    (update,) = updates(model, batch)
    fake_pet, logit = model.translate(batch["CT"]), model.generator(batch["CT"])[:, 1:2] - 4
    l1, l2 = (loss(fake_pet, batch["PET"], batch["mask"]) for loss in (masked_l1, masked_l2))
    lesion = lesion_cross_entropy(logit, batch["lesions"], batch["mask"], 7.0)
    torch.testing.assert_close(update.loss, l1 + 2 * l2 + 3 * lesion)


def test_where_a_lesion_is_certain_its_additional_uptake_is_added_and_elsewhere_nothing():
    model, ct = make_model(), make_batch()["CT"]
    channels = model.generator(ct)
    for probability, logit in ((1.0, 100.0), (0.0, -100.0)):
        model.generator.forward = lambda image, logit=logit: torch.cat(
            [channels[:, :1], torch.full_like(channels[:, :1], logit), channels[:, 2:]], dim=1
        )
        expected = channels[:, :1] + probability * torch.nn.functional.softplus(channels[:, 2:])
        torch.testing.assert_close(model.translate(ct), expected)


def test_a_new_model_predicts_almost_no_lesion():
    model, batch = tiny_model("lesion_regression"), make_batch()
    (update,) = updates(model, batch)
    rare = torch.tensor(-4.0)
    inside = batch["lesions"][batch["mask"]].float().mean()
    expected = torch.nn.functional.softplus(rare)
    assert model.translate(batch["CT"]).abs().max() < 0.02
    assert update.losses["g_lesion"] > expected, "lesions are missed"
    assert 0.05 < inside < 0.15


def test_prediction_needs_no_masks():
    model, batch = make_model(), make_batch()
    torch.testing.assert_close(model.predict({"CT": batch["CT"]})["PET"], model.translate(batch["CT"]))
