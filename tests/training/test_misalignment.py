"""The augmentation that moves one field against the others."""

from dataclasses import replace

import pytest
import torch
from field_sets import ALL_FIELDS
from tiny import NO_AUGMENTATION, tiny_configuration

from ct2pet.training.augmentation import Augmenter

SIZE = [12, 10, 8]
SPACING = [3.0, 4.0, 5.0]
LIMITS_MM = [7.0, 4.0, 0.0]  # 2, 1 and 0 voxels
OTHERS = {
    **{"rotation_degrees": [10.0] * 3, "rotation_probability": 0.7, "flip_axes": [0, 1, 2], "flip_probability": 0.5},
    **{"noise_std": 0.1, "noise_probability": 0.5},
}


def make(limits=None, probability=1.0, **changes):
    plan = replace(NO_AUGMENTATION, **changes)
    if limits is not None:
        plan = replace(plan, misalignment_mm=limits, misalignment_probability=probability)
    return Augmenter(tiny_configuration(patch_size=SIZE, spacing=SPACING, augmentation=plan), ALL_FIELDS)


def numbered(augmenter, samples):
    """Every voxel holds its own index (Z, Y, X) as one number; all fields are alike."""
    z, y, x = torch.meshgrid(*[torch.arange(n) for n in augmenter.source_size], indexing="ij")
    index = (z * 10_000 + y * 100 + x).expand(samples, 1, *augmenter.source_size)
    images = {name: index.float() for name in ("CT", "low_PET", "PET")}
    return {**images, "organ_labels": index, "mask": index > 0, "sex": torch.arange(samples)}


def offsets(image, augmenter):
    """By how many voxels (Z, Y, X) a numbered patch lies beside the centre of its source; the patch must be whole."""
    first = int(image[0, 0, 0, 0])
    start = [first // 10_000, first // 100 % 100, first % 100]
    expected = numbered(augmenter, 1)["organ_labels"][0]
    box = (..., *(slice(a, a + n) for a, n in zip(start, SIZE)))
    assert torch.equal(image.long(), expected[box])
    return [a - m for a, m in zip(start, augmenter.margin)]


@pytest.mark.parametrize("moved", ["PET", "low_PET", "organ_labels"])
def test_one_field_is_moved_by_no_more_than_its_limit_and_the_others_not_at_all(moved):
    augmenter = make({moved: LIMITS_MM})
    result = augmenter(numbered(augmenter, 60), range(60))
    for name in {"CT", "low_PET", "PET", "organ_labels"} - {moved}:
        assert all(offsets(image, augmenter) == [0, 0, 0] for image in result[name])
    found = [offsets(image, augmenter) for image in result[moved]]
    assert {z for z, _, _ in found} == {-2, -1, 0, 1, 2}  # the limits are reached
    assert {y for _, y, _ in found} == {-1, 0, 1}
    assert {x for _, _, x in found} == {0}
    millimetres = [[abs(n) * s for n, s in zip(offset, SPACING)] for offset in found]
    assert all(mm <= limit for offset in millimetres for mm, limit in zip(offset, LIMITS_MM))


def test_the_share_of_moved_samples_is_the_probability():
    augmenter = make({"PET": [9.0, 12.0, 15.0]}, probability=0.3)
    result = augmenter(numbered(augmenter, 300), range(300))["PET"]
    moved = sum(offsets(image, augmenter) != [0, 0, 0] for image in result)
    assert 0.2 < moved / 300 < 0.4  # 4 standard deviations; of 7^3 moves one is none at all


def test_several_fields_move_independently():
    augmenter = make({"PET": [9.0, 0.0, 0.0], "low_PET": [0.0, 12.0, 0.0]}, probability=0.5)
    result = augmenter(numbered(augmenter, 60), range(60))
    found = {
        (tuple(offsets(pet, augmenter)) == (0, 0, 0), tuple(offsets(low, augmenter)) == (0, 0, 0))
        for pet, low in zip(result["PET"], result["low_PET"])
    }
    assert found == {(True, True), (True, False), (False, True), (False, False)}


def centred(batch, augmenter):
    """What an augmenter with a smaller margin gets of the batch."""
    smaller = {}
    for name, image in batch.items():
        starts = [(n - m) // 2 for n, m in zip(image.shape[2:], augmenter.source_size)]
        middle = (..., *(slice(a, a + m) for a, m in zip(starts, augmenter.source_size)))
        smaller[name] = image[middle] if image.ndim == 5 else image
    return smaller


def test_rotations_flips_and_noise_are_those_of_a_training_without_misalignment():
    """Bit by bit, of all fields but the one that is moved."""
    plain, moving = make(**OTHERS), make({"PET": LIMITS_MM}, **OTHERS)
    assert moving.margin == tuple(m + n for m, n in zip(plain.margin, (2, 1, 0)))
    random = torch.Generator().manual_seed(0)
    batch = {name: torch.randn(6, 1, *moving.source_size, generator=random) for name in ("CT", "low_PET", "PET")}
    batch |= {"organ_labels": (batch["CT"] > 0).long(), "mask": batch["CT"] > 0, "sex": torch.arange(6)}
    expected, found = plain(centred(batch, plain), range(6)), moving(batch, range(6))
    for name in batch:
        assert torch.equal(found[name], expected[name]) == (name != "PET"), name


@pytest.mark.parametrize("changes", [{}, {"misalignment_mm": {"PET": LIMITS_MM}, "misalignment_probability": 0.0}])
def test_without_misalignment_margin_and_samples_do_not_change(changes):
    plain, other = make(**OTHERS), make(**OTHERS, **changes)
    assert other.margin == plain.margin
    batch = numbered(plain, 6)
    expected, found = plain(batch, range(6)), other(batch, range(6))
    assert all(torch.equal(found[name], expected[name]) for name in batch)


def test_misalignment_below_one_voxel_is_not_applied():
    plain, other = make(**OTHERS), make({"PET": [2.9, 3.9, 4.9]}, **OTHERS)
    assert other.margin == plain.margin
    batch = numbered(plain, 6)
    expected, found = plain(batch, range(6)), other(batch, range(6))
    assert all(torch.equal(found[name], expected[name]) for name in batch)
