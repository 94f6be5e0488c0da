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


def test_a_new_model_predicts_almost_no_lesion():
    model, batch = tiny_model("lesion_regression"), make_batch()
    (update,) = updates(model, {**batch, "lesions": torch.zeros_like(batch["mask"])})
    torch.testing.assert_close(update.losses["g_lesion"], torch.nn.functional.softplus(torch.tensor(-4.0)))


def test_both_heads_have_common_features():
    """A step on the masks alone changes the predicted PET, although the PET's own head is not touched."""
    model, batch = make_model(), make_batch()
    before = model.translate(batch["CT"]).detach()
    (update,) = updates(model, batch)
    update.losses["g_lesion"].backward()
    head = [module for module in model.generator.modules() if isinstance(module, torch.nn.Conv3d)][-1]
    assert head.weight.grad[0].abs().max() == 0
    assert head.weight.grad[1].abs().max() > 0
    with torch.no_grad():
        for weight in model.generator.parameters():
            weight -= weight.grad
    assert (model.translate(batch["CT"]) - before).abs().max() > 1e-4


def test_prediction_needs_no_masks():
    model, batch = make_model(), make_batch()
    torch.testing.assert_close(model.predict({"CT": batch["CT"]})["PET"], model.translate(batch["CT"]))
