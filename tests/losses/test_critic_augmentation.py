"""What a critic sees of an image: other places, never other values."""

import torch

from ct2pet.losses.critic_augmentation import augment_for_critic


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_augmentation_depends_only_on_the_random_numbers():
    first = torch.rand(6, 2, 16, 16, generator=random())
    moved = augment_for_critic(first, random(1))
    assert torch.equal(moved, augment_for_critic(first, random(1)))
    assert not torch.equal(moved, augment_for_critic(first, random(2)))
    torch.testing.assert_close(augment_for_critic(3 * first, random(1)), 3 * moved)


def test_uniform_images_keep_their_value_outside_the_square():
    images = torch.full((64, 1, 32, 32), 7.5)
    seen = augment_for_critic(images, random())
    assert torch.isclose(seen, images).logical_or(seen == 0).all()
    covered = (seen == 0).float().mean(dim=(1, 2, 3))
    assert covered.max() <= (8 / 32) ** 2 + 0.01
    assert covered.min() < 0.05  # squares at the edges
    assert 0.035 < covered.mean() < 0.0625


def test_about_half_of_the_images_are_mirrored_and_shifts_reach_an_eighth():
    ramp = torch.arange(32.0).expand(256, 1, 32, 32) + 1
    seen = augment_for_critic(ramp, random())
    row = seen[:, 0].amax(dim=1)  # some rows are covered
    middle = row[:, 12:20].where(row[:, 12:20] > 0, torch.nan)
    slope = (middle[:, 1:] - middle[:, :-1]).nanmean(dim=1)
    assert 0.4 < (slope < 0).float().mean() < 0.6
    offset = (middle.nanmean(dim=1) - 16.5).abs()
    assert 3.0 < offset[~offset.isnan()].max() < 6.0


def test_gradients_reach_the_images():
    images = torch.rand(4, 2, 16, 16, requires_grad=True)
    augment_for_critic(images, random()).sum().backward()
    assert (images.grad != 0).float().mean() > 0.5


def test_positions_are_exact_under_autocast():
    images = torch.rand(4, 1, 128, 128, generator=random())
    with torch.autocast("cpu", torch.bfloat16):
        seen = augment_for_critic(images, random(1))
    assert seen.dtype == torch.float32
    torch.testing.assert_close(seen, augment_for_critic(images, random(1)))
