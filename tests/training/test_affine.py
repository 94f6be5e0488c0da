"""Scaling of the samples of a training; rotations are tested in test_augmentation.py."""

import math
from dataclasses import replace

import pytest
import torch
from tiny import FIELDS, NO_AUGMENTATION, tiny_configuration

from ct2pet.training.affine import AffineTransforms, rotation
from ct2pet.training.augmentation import Augmenter

SIZE, SPACING = [12, 10, 8], [3.0, 4.0, 5.0]
SCALED = {"scaling_range": [0.7, 1.5], "scaling_probability": 1.0}
ROTATED = {"rotation_degrees": [20.0, 15.0, 30.0], "rotation_probability": 1.0}


def configuration(size=SIZE, **changes):
    plan = replace(NO_AUGMENTATION, **changes)
    return tiny_configuration(patch_size=size, spacing=SPACING, augmentation=plan)


def millimetres(size):
    """(*size, 3): X, Y, Z of each voxel from the centre."""
    axes = [(torch.arange(n) - (n - 1) / 2) * s for n, s in zip(size, SPACING)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)


def places_seen(augmenter, seed):
    """Where in the source (mm) each voxel of a sample comes from: linear ramps are interpolated exactly, unless a voxel
    is missing in the margin."""
    source = millimetres(augmenter.source_size)
    ramps = [source[..., axis][None, None] for axis in range(3)]
    seen = [augmenter({"CT": ramp, "PET": ramp, "mask": ramp > 0}, [seed])["CT"][0, 0] for ramp in ramps]
    return torch.stack(seen, dim=-1)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.5])
def test_the_body_gets_the_drawn_size(factor):
    """At a distance of d mm from the centre of the sample one sees what is d / factor from it; also at the smallest
    factor, for which the margin is read."""
    augmenter = Augmenter(configuration(scaling_range=[factor, factor], scaling_probability=1.0), FIELDS)
    torch.testing.assert_close(places_seen(augmenter, 3), millimetres(SIZE) / factor, atol=1e-3, rtol=0)
    assert (augmenter.margin == (0, 0, 0)) == (factor >= 1)


def test_a_sample_is_rotated_or_scaled():
    """So that both together need the margin of the one that needs more."""
    augmenter = Augmenter(configuration(**{**ROTATED, "rotation_probability": 0.5}, **SCALED), FIELDS)
    found = set()
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        rotated = float(torch.rand((), generator=generator)) < 0.5
        limits = torch.deg2rad(torch.tensor(ROTATED["rotation_degrees"][::-1]))
        turn = rotation((torch.rand(3, generator=generator) * 2 - 1) * limits)
        found.add(rotated)
        expected = millimetres(SIZE) @ turn.T if rotated else millimetres(SIZE) / augmenter.affine.scaling(seed)
        torch.testing.assert_close(places_seen(augmenter, seed), expected, atol=1e-3, rtol=0)
    assert found == {True, False}
    alone = [AffineTransforms(configuration(**one)).margin for one in (ROTATED, SCALED)]
    assert augmenter.margin == tuple(max(axis) for axis in zip(*alone))


def test_the_margin_is_enough_for_the_largest_rotation():
    """A sample that looks beyond its source would repeat its last voxels; a voxel of the outermost layer is the most
    that an interpolation needs."""
    affine = AffineTransforms(configuration(**ROTATED))
    limits = torch.deg2rad(torch.tensor(ROTATED["rotation_degrees"][::-1]))
    last = 1 - 1 / torch.tensor(affine.source_size[::-1])  # the centre of the last voxel, as X, Y, Z in [-1, 1]
    for signs in torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0])] * 3):
        matrix = affine.matrix(signs * limits, 0)
        assert (affine._sampling_grid(matrix[None], torch.device("cpu")).abs() <= last + 1e-5).all()


def test_labels_and_masks_are_scaled_with_the_image():
    """A sphere of 20 mm has in each field the volume that its scaling gives it."""
    augmenter = Augmenter(configuration([32, 32, 32], **SCALED), FIELDS)
    sphere = millimetres(augmenter.source_size).norm(dim=-1)[None, None] < 20
    batch = {"CT": sphere.float(), "PET": sphere.float(), "mask": sphere, "labels": 300 * sphere.long()}
    for seed in range(4):
        result = augmenter(batch, [seed])
        expected = 4 / 3 * math.pi * (20 * augmenter.affine.scaling(seed)) ** 3 / math.prod(SPACING)
        assert {*result["labels"].unique().tolist()} == {0, 300}
        for image in (result["CT"], result["mask"], result["labels"] / 300):
            assert float(image.sum()) == pytest.approx(expected, rel=0.1)


def test_factors_are_uniform_in_their_logarithm_and_as_frequent_as_planned():
    affine = AffineTransforms(configuration(scaling_range=[0.5, 2.0], scaling_probability=0.4))
    factors = torch.tensor([affine.scaling(seed) for seed in range(4000)])
    scaled = factors[factors != 1].log2()
    assert len(scaled) / 4000 == pytest.approx(0.4, abs=0.03)
    shares = torch.histc(scaled, 4, -1, 1) / len(scaled)
    assert shares.tolist() == pytest.approx([0.25] * 4, abs=0.04)


def test_a_slice_is_scaled_in_its_plane():
    """The slices around it are not needed, so that no margin of them is read."""
    augmenter = Augmenter(configuration([1, 10, 8], **SCALED), FIELDS)
    assert augmenter.margin[0] == 0
    factor = torch.tensor([augmenter.affine.scaling(2)] * 2 + [1.0])
    torch.testing.assert_close(places_seen(augmenter, 2), millimetres([1, 10, 8]) / factor, atol=1e-3, rtol=0)


def test_the_margin_of_a_sample_grows_with_its_scaling():
    augmenter = Augmenter(configuration(scaling_range=[0.7, 1.5], scaling_probability=0.5), FIELDS)
    for seed in range(20):
        factor = augmenter.affine.scaling(seed)
        assert augmenter.margin_of(seed) == tuple(
            max(0, math.ceil((n - 1) * (1 / factor - 1) / 2 - 1e-5)) for n in SIZE
        )
