from dataclasses import replace

import pytest
import torch
from tiny import NO_AUGMENTATION

from ct2pet.training.augmentation import PairedAugmenter, _rotation

SIZE = (12, 10, 8)
SPACING = (3.0, 4.0, 5.0)
SEEDS = [1, 2, 3, 4, 5, 6]
HALVES = (slice(0, 3), slice(3, 6))
ALL_OF_IT = {
    "rotation_degrees": [10.0] * 3,
    "rotation_probability": 0.7,
    "flip_axes": [0, 1, 2],
    "flip_probability": 0.5,
    "noise_std": 0.1,
    "noise_probability": 0.5,
}


def make(**changes):
    return PairedAugmenter(replace(NO_AUGMENTATION, **changes), SIZE, SPACING)


def batch_of(augmenter, samples=6):
    generator = torch.Generator().manual_seed(0)
    ct = torch.randn(samples, 1, *augmenter.source_size, generator=generator)
    return {"ct": ct, "pet": 2 * ct + 1, "mask": ct > 0}


def test_without_augmentation_the_batch_is_untouched():
    augmenter = make()
    batch = batch_of(augmenter)
    for name, image in augmenter(batch, SEEDS).items():
        assert torch.equal(image, batch[name])


def test_ct_pet_and_mask_move_together():
    augmenter = make(rotation_degrees=[10.0] * 3, rotation_probability=0.7, flip_axes=[0, 1, 2], flip_probability=0.5)
    result = augmenter(batch_of(augmenter), SEEDS)
    torch.testing.assert_close(result["pet"], 2 * result["ct"] + 1, rtol=1e-5, atol=1e-5)
    assert result["mask"].dtype == torch.bool
    assert result["ct"].shape[2:] == SIZE


def test_the_same_seed_gives_the_same_batch_and_another_seed_another():
    augmenter = make(rotation_degrees=[10.0] * 3, rotation_probability=0.7, flip_axes=[0], flip_probability=0.5)
    batch = batch_of(augmenter)
    first, again, other = (augmenter(batch, seeds)["ct"] for seeds in (SEEDS, SEEDS, [s + 9 for s in SEEDS]))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_sample_does_not_depend_on_the_others_of_its_batch():
    augmenter = make(**ALL_OF_IT)
    batch = batch_of(augmenter)
    whole = augmenter(batch, SEEDS)
    halves = [augmenter({n: image[part] for n, image in batch.items()}, SEEDS[part]) for part in HALVES]
    for name, image in whole.items():
        assert torch.equal(image, torch.cat([half[name] for half in halves]))


def test_samples_of_one_batch_are_changed_differently():
    augmenter = make(flip_axes=[0, 1, 2], flip_probability=0.5)
    batch = {name: image[:1].expand(6, -1, -1, -1, -1) for name, image in batch_of(augmenter).items()}
    assert len({tuple(image.flatten().tolist()) for image in augmenter(batch, SEEDS)["ct"]}) > 2


def test_flips_along_the_planned_axes_only():
    augmenter = make(flip_axes=[2], flip_probability=1.0)
    batch = batch_of(augmenter)
    assert torch.equal(augmenter(batch, SEEDS)["ct"], batch["ct"].flip(4))


def test_noise_goes_to_the_ct_alone_with_its_standard_deviation():
    augmenter = make(noise_std=0.05, noise_probability=1.0)
    batch = batch_of(augmenter, samples=50)
    result = augmenter(batch, range(50))
    assert torch.equal(result["pet"], batch["pet"])
    assert (result["ct"] - batch["ct"]).std().item() == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_rotation_turns_by_its_angle_in_millimetres(axis):
    """A linear ramp (mm along one patient axis) rotated is the ramp along the rotated axis: exact for any spacing."""
    degrees = [0.0, 0.0, 0.0]
    degrees[axis] = 30.0  # about Z, Y or X
    augmenter = make(rotation_degrees=degrees, rotation_probability=1.0)

    def millimetres(size):
        axes = [(torch.arange(n) - (n - 1) / 2) * s for n, s in zip(size, SPACING)]
        return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)  # X, Y, Z

    source, target = millimetres(augmenter.source_size), millimetres(SIZE)
    turned = []
    for component in range(3):
        ramp = source[..., component][None, None]
        turned.append(augmenter({"ct": ramp, "pet": ramp, "mask": ramp > 0}, [3])["ct"][0, 0])
    found = torch.stack(turned, dim=-1)

    generator = torch.Generator().manual_seed(3)
    torch.rand((), generator=generator)
    angles = (torch.rand(3, generator=generator) * 2 - 1) * torch.deg2rad(torch.tensor(degrees[::-1]))
    torch.testing.assert_close(found, target @ _rotation(angles).T, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.norm(dim=-1), target.norm(dim=-1), atol=1e-3, rtol=0)
