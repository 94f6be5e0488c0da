from dataclasses import replace

import pytest
import torch
from field_sets import ALL_FIELDS
from tiny import FIELDS, NO_AUGMENTATION, tiny_configuration

from ct2pet.training.affine import rotation
from ct2pet.training.augmentation import Augmenter

SIZE = [12, 10, 8]
SPACING = [3.0, 4.0, 5.0]
SEEDS = [1, 2, 3, 4, 5, 6]
HALVES = (slice(0, 3), slice(3, 6))
ROTATED = {"rotation_degrees": [10.0] * 3, "rotation_probability": 0.7}
FLIPPED = {"flip_axes": [0, 1, 2], "flip_probability": 0.5}
ALL_OF_IT = {**ROTATED, **FLIPPED, "noise_std": 0.1, "noise_probability": 0.5}


def make(fields=FIELDS, **changes):
    plan = replace(NO_AUGMENTATION, **changes)
    return Augmenter(tiny_configuration(patch_size=SIZE, spacing=SPACING, augmentation=plan), fields)


def batch_of(augmenter, samples=6):
    generator = torch.Generator().manual_seed(0)
    ct = torch.randn(samples, 1, *augmenter.source_size, generator=generator)
    return {"CT": ct, "PET": 2 * ct + 1, "mask": ct > 0}


def all_fields_of(augmenter, samples=6):
    """Two different inputs, a PET, labels of 1 and 300 where the CT is high, and a condition."""
    batch = batch_of(augmenter, samples)
    labels = (batch["CT"] > 0).long() + 299 * (batch["CT"] > 1).long()
    return {**batch, "low_PET": batch["PET"].flip(2), "organ_labels": labels, "sex": torch.arange(samples)}


def test_without_augmentation_the_batch_is_untouched():
    augmenter = make(ALL_FIELDS)
    batch = all_fields_of(augmenter)
    result = augmenter(batch, SEEDS)
    assert result.keys() == batch.keys()
    for name, image in result.items():
        assert torch.equal(image, batch[name])


def test_ct_pet_and_mask_move_together():
    augmenter = make(**ROTATED, **FLIPPED)
    result = augmenter(batch_of(augmenter), SEEDS)
    torch.testing.assert_close(result["PET"], 2 * result["CT"] + 1, rtol=1e-5, atol=1e-5)
    assert result["mask"].dtype == torch.bool
    assert list(result["CT"].shape[2:]) == SIZE


def test_labels_keep_their_values_and_move_with_the_images():
    """A label map is a thresholded smooth image. After rotations it is the threshold of the rotated image, but where
    the image comes close to the threshold: the nearest voxel lies within half a voxel of where linear interpolation
    looks."""
    augmenter = make(ALL_FIELDS, **ROTATED, **FLIPPED)
    z, y, x = torch.meshgrid(*[torch.arange(float(n)) for n in augmenter.source_size], indexing="ij")
    image = (torch.sin(z / 3) + torch.sin(y / 2.5 + 1) + torch.sin(x / 2 + 2)).expand(6, 1, *augmenter.source_size)
    labels = torch.where(image > 0.5, 65_000, torch.where(image > -0.5, 3, 0))
    batch = {**all_fields_of(augmenter), "CT": image, "organ_labels": labels}
    result = augmenter(batch, SEEDS)
    rotated, found = result["CT"], result["organ_labels"]
    assert found.dtype == torch.int64
    assert {*found.unique().tolist()} == {0, 3, 65_000}
    steepest = 1 / 3 + 1 / 2.5 + 1 / 2
    for threshold, at_least in ((-0.5, 3), (0.5, 65_000)):
        clear = (rotated - threshold).abs() > 0.5 * steepest + 0.1  # the image between voxels is not linear
        assert clear.float().mean() > 0.4
        assert torch.equal((found >= at_least)[clear], (rotated > threshold)[clear])
    middle = (..., *(slice(m, m + n) for m, n in zip(augmenter.margin, SIZE)))
    assert not torch.equal(found, labels[middle])


def test_augmentation_is_determined_by_the_seed():
    augmenter = make(ALL_FIELDS, **ALL_OF_IT, misalignment_mm={"PET": [6.0] * 3}, misalignment_probability=0.5)
    batch = all_fields_of(augmenter)
    first, again, other = (augmenter(batch, seeds) for seeds in (SEEDS, SEEDS, [s + 9 for s in SEEDS]))
    assert all(torch.equal(first[name], again[name]) for name in batch)
    assert not any(torch.equal(first[name], other[name]) for name in batch if name != "sex")


def test_a_sample_does_not_depend_on_the_others_of_its_batch():
    augmenter = make(ALL_FIELDS, **ALL_OF_IT, misalignment_mm={"PET": [6.0] * 3}, misalignment_probability=0.5)
    batch = all_fields_of(augmenter)
    whole = augmenter(batch, SEEDS)
    halves = [augmenter({n: image[part] for n, image in batch.items()}, SEEDS[part]) for part in HALVES]
    for name, image in whole.items():
        assert torch.equal(image, torch.cat([half[name] for half in halves]))


SCALED = {"scaling_range": [0.7, 1.4], "scaling_probability": 0.5}


@pytest.mark.parametrize(
    "moved", [{}, SCALED, {"misalignment_mm": {"PET": [6.0, 8.0, 10.0]}, "misalignment_probability": 0.5}]
)
def test_what_is_beyond_the_margin_of_a_sample_changes_nothing(moved):
    augmenter = make(**ALL_OF_IT, **moved)
    seeds = [*range(40)]
    batch = batch_of(augmenter, 40)
    changed = {name: torch.ones_like(image) for name, image in batch.items()}
    for index, seed in enumerate(seeds):
        needed = augmenter.margin_of(seed)
        inner = (index, slice(None), *(slice(m - n, m + p + n) for m, n, p in zip(augmenter.margin, needed, SIZE)))
        for name, image in changed.items():
            image[inner] = batch[name][inner]
    needed = {augmenter.margin_of(seed) for seed in seeds}
    assert len(needed) > 3
    assert ((0, 0, 0) in needed) == (moved in ({}, SCALED))
    expected = augmenter(batch, seeds)
    for name, image in augmenter(changed, seeds).items():
        assert torch.equal(image, expected[name])


def test_samples_of_one_batch_are_changed_differently():
    augmenter = make(**FLIPPED)
    batch = {name: image[:1].expand(6, -1, -1, -1, -1) for name, image in batch_of(augmenter).items()}
    assert len({tuple(image.flatten().tolist()) for image in augmenter(batch, SEEDS)["CT"]}) > 2


def test_flips_along_the_planned_axes_only():
    augmenter = make(flip_axes=[2], flip_probability=1.0)
    batch = batch_of(augmenter)
    assert torch.equal(augmenter(batch, SEEDS)["CT"], batch["CT"].flip(4))


def test_noise_is_added_to_inputs_only_with_its_standard_deviation():
    augmenter = make(ALL_FIELDS, noise_std=0.05, noise_probability=1.0)
    batch = all_fields_of(augmenter, samples=50)
    result = augmenter(batch, range(50))
    for name in ("PET", "organ_labels", "mask", "sex"):
        assert torch.equal(result[name], batch[name])
    noise = torch.stack([(result[name] - batch[name]).flatten() for name in ("CT", "low_PET")])
    assert noise.std(1).tolist() == pytest.approx([0.05, 0.05], rel=0.05)
    assert abs(float(torch.corrcoef(noise)[0, 1])) < 0.02  # each input has noise of its own


def test_the_random_numbers_of_a_seed_do_not_change():
    """A training that is resumed, or repeated with another version, sees the same samples: by hand, the flips are the
    numbers 5 to 7 of the seed's generator, the decision about noise is the number 8, and the noise is a generator's of
    that same seed."""
    augmenter = make(**FLIPPED, noise_std=0.1, noise_probability=0.5)
    batch = batch_of(augmenter)
    result, noisy = augmenter(batch, SEEDS)["CT"], 0
    for index, seed in enumerate(SEEDS):
        numbers = torch.rand(8, generator=torch.Generator().manual_seed(seed)).tolist()
        expected = batch["CT"][index : index + 1].flip([axis + 2 for axis in range(3) if numbers[4 + axis] < 0.5])
        if numbers[7] < 0.5:
            noisy += 1
            noise = torch.randn(expected.shape, generator=torch.Generator().manual_seed(seed))
            expected = expected + 0.1 * noise
        assert torch.equal(result[index : index + 1], expected)
    assert 0 < noisy < len(SEEDS)


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
        turned.append(augmenter({"CT": ramp, "PET": ramp, "mask": ramp > 0}, [3])["CT"][0, 0])
    found = torch.stack(turned, dim=-1)

    generator = torch.Generator().manual_seed(3)
    torch.rand((), generator=generator)
    angles = (torch.rand(3, generator=generator) * 2 - 1) * torch.deg2rad(torch.tensor(degrees[::-1]))
    torch.testing.assert_close(found, target @ rotation(angles).T, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.norm(dim=-1), target.norm(dim=-1), atol=1e-3, rtol=0)
