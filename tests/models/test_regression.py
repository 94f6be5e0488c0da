import torch
from tiny_models import tiny_model, updates


def make_batch():
    generator = torch.Generator().manual_seed(0)
    ct = torch.randn(2, 1, 16, 16, 16, generator=generator)
    mask = torch.rand(ct.shape, generator=generator) < 0.3
    return {"CT": ct, "PET": ct.abs(), "mask": mask}


def test_the_loss_of_regression_is_the_mean_absolute_error_inside_the_district():
    model, batch = tiny_model("regression"), make_batch()
    (update,) = updates(model, batch)
    samples = zip(model.translate(batch["CT"]), batch["PET"], batch["mask"])
    expected = [torch.nn.functional.l1_loss(fake[inside], real[inside]) for fake, real, inside in samples]
    torch.testing.assert_close(update.loss, torch.stack(expected).mean())


def test_the_squared_error_inside_the_district_is_added_with_its_weight():
    model, batch = tiny_model("regression", lambda_l2=5.0), make_batch()
    (update,) = updates(model, batch)
    samples = zip(model.translate(batch["CT"]), batch["PET"], batch["mask"])
    pairs = [(fake[inside], real[inside]) for fake, real, inside in samples]
    parts = [
        torch.stack([loss(fake, real) for fake, real in pairs]).mean()
        for loss in (torch.nn.functional.l1_loss, torch.nn.functional.mse_loss)
    ]
    torch.testing.assert_close(update.loss, parts[0] + 5 * parts[1])


def test_regression_starts_with_the_generator_of_pix2pix():
    own, other = (tiny_model(name).generator.state_dict() for name in ("regression", "pix2pix"))
    assert own.keys() == other.keys()
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_a_step_of_regression_equals_one_of_pix2pix_without_the_adversary():
    """Pix2Pix's generator loss minus its adversarial part, divided by lambda, has the same gradients."""
    batch, gradients = make_batch(), {}
    for name in ("regression", "pix2pix"):
        model = tiny_model(name)
        *_, update = updates(model, batch)
        update.losses["g_l1"].backward()
        gradients[name] = [p.grad for p in model.generator.parameters() if p.grad is not None]
    for own, other in zip(gradients["regression"], gradients["pix2pix"], strict=True):
        torch.testing.assert_close(own, other)
