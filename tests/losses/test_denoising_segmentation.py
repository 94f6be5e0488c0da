"""The losses against nnU-Net's."""

import pytest
import torch
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss

from ct2pet.losses.denoising_segmentation import (
    averaged_to,
    cross_entropy,
    deep_supervision_weights,
    denoising_loss,
    organ_mean_loss,
    segmentation_loss,
    soft_dice_loss,
)

DICE = {"batch_dice": False, "smooth": 1e-5, "do_bg": False, "ddp": False}


def example(size, classes=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, *size, generator=generator, requires_grad=True)
    labels = torch.randint(0, classes, (2, 1, *size), generator=generator)
    return logits, labels


@pytest.mark.parametrize("size", [(6, 5, 4), (7, 8)])
def test_value_and_gradient_are_nnu_net_s(size):
    (own, labels), (other, _) = example(size), example(size)
    loss = cross_entropy(own, labels) + soft_dice_loss(own, labels)
    expected = DC_and_CE_loss(DICE, {}, dice_class=MemoryEfficientSoftDiceLoss)(other, labels)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(own.grad, other.grad)


def test_with_a_rare_weight_of_1_all_classes_that_occur_weigh_the_same():
    logits, labels = example((6, 5, 4))
    labels = torch.where(labels > 0, labels, 1).clamp(max=3)  # class 1 is common, 0 and 4 do not occur
    voxels = torch.nn.functional.cross_entropy(logits, labels[:, 0], reduction="none")
    means = [voxels[labels[:, 0] == label].mean() for label in (1, 2, 3)]
    torch.testing.assert_close(cross_entropy(logits, labels, 1.0), torch.stack(means).mean())
    half = sum((labels == label).sum() ** 0.5 * mean for label, mean in zip((1, 2, 3), means))
    sizes = sum((labels == label).sum() ** 0.5 for label in (1, 2, 3))
    torch.testing.assert_close(cross_entropy(logits, labels, 0.5), half / sizes)


def test_a_perfect_prediction_has_a_dice_of_1():
    labels = example((6, 5, 4))[1]
    logits = torch.nn.functional.one_hot(labels[:, 0], 5).movedim(-1, 1) * 200.0
    assert soft_dice_loss(logits, labels).item() == pytest.approx(-1)


def test_a_class_that_does_not_occur_has_no_part_in_dice():
    logits, labels = example((6, 5, 4))
    labels = labels.clamp(max=3)
    without = soft_dice_loss(logits.softmax(1)[:, :4].log(), labels)  # the same probabilities up to a factor
    assert soft_dice_loss(torch.cat([logits[:, :4], torch.full_like(logits[:, 4:], -50)], 1), labels).item() == (
        pytest.approx(without.item())
    )
    nothing = soft_dice_loss(logits, torch.zeros_like(labels))
    assert nothing.item() == 0


def test_all_scales_are_weighted_as_nnu_net_weights_them():
    scales = [example((8 >> level,) * 3, seed=level)[0] for level in range(3)]
    labels = example((8, 8, 8))[1]
    truths = [labels[:, :, :: 2**level, :: 2**level, :: 2**level] for level in range(3)]
    nearest = [torch.nn.functional.interpolate(labels.float(), size.shape[2:], mode="nearest-exact") for size in truths]
    single = DC_and_CE_loss(DICE, {}, dice_class=MemoryEfficientSoftDiceLoss)
    wrapped = DeepSupervisionWrapper(single, [2 / 3, 1 / 3, 0.0])
    assert deep_supervision_weights(3) == pytest.approx([2 / 3, 1 / 3, 0.0])
    torch.testing.assert_close(segmentation_loss(scales, labels), wrapped(scales, [one.long() for one in nearest]))


def test_without_deep_supervision_the_one_scale_counts_fully():
    logits, labels = example((6, 5, 4))
    expected = cross_entropy(logits, labels) + soft_dice_loss(logits, labels)
    torch.testing.assert_close(segmentation_loss([logits], labels), expected)


def test_denoising_counts_nothing_outside_the_mask():
    target = torch.rand(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros_like(target, dtype=torch.bool)
    mask[..., :4] = True  # whole voxels of the lower resolutions, too
    noise = torch.where(mask, 0.0, 7.0)
    scales = [averaged_to(target, (8 >> level,) * 3) + averaged_to(noise, (8 >> level,) * 3) for level in range(3)]
    assert denoising_loss(scales, target, mask).item() == pytest.approx(0, abs=1e-6)
    lifted = [scale + 0.5 for scale in scales]
    assert denoising_loss(lifted, target, mask).item() == pytest.approx(0.5, rel=1e-5)


def test_averaging_conserves_the_mean():
    image = torch.rand(1, 1, 8, 12, 4, generator=torch.Generator().manual_seed(2))
    assert averaged_to(image, (4, 6, 2)).mean().item() == pytest.approx(image.mean().item(), rel=1e-6)
    assert averaged_to(image, (8, 12, 4)) is image


def test_the_organ_loss_is_the_relative_error_of_the_mean_of_each_organ():
    labels = torch.zeros(2, 1, 4, 4, 4, dtype=torch.long)
    labels[0, 0, 0], labels[0, 0, 1, 0] = 1, 3  # the second sample has no organ
    target = torch.where(labels == 1, 2.0, 5.0)
    target[0, 0, 1, 0] = torch.tensor([0.1, 0.3, 0.2, 0.2])
    predicted = torch.where(labels == 1, 2.5, 0.0)
    predicted[0, 0, 1, 0] = torch.tensor([0.0, 0.2, 0.1, 0.1])  # half of the mean
    loss = organ_mean_loss(predicted, target, labels, 4, 0.01)
    assert loss.item() == pytest.approx((0.25 + 0.5) / 2 / 2)
    assert organ_mean_loss(predicted, target, labels, 4, 0.4).item() == pytest.approx((0.25 + 0.1 / 0.4) / 2 / 2)


def test_noise_of_which_the_mean_of_an_organ_is_right_costs_nothing():
    labels = example((8, 8, 8), classes=3)[1]
    target = torch.rand(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(3)) + 1
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(4))
    for label in (1, 2):
        for sample in (0, 1):
            inside = labels[sample] == label
            noise[sample][inside] -= noise[sample][inside].mean()
    noise.requires_grad_()
    loss = organ_mean_loss(target + noise, target, labels, 3, 0.1)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    organ_mean_loss(target + noise + 0.1, target, labels, 3, 0.1).backward()
    assert not noise.grad[labels == 0].any()  # the background is no organ
    assert (noise.grad[labels == 1] > 0).all()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_means_of_large_organs_are_exact_under_autocast(kind):
    """The sum over an organ of 64^3 voxels is above the largest float16; small errors of means are below bfloat16's."""
    labels = torch.ones(1, 1, 64, 64, 64, dtype=torch.long)
    target = torch.full(labels.shape, 0.3)
    for factor in (1.1, 1.002):
        predicted = (factor * target).requires_grad_()
        with torch.autocast("cpu", kind):
            loss = organ_mean_loss(predicted, target, labels, 2, 1e-3)
        assert loss.item() == pytest.approx(factor - 1, rel=1e-2)
        loss.backward()
        assert predicted.grad.sum().item() == pytest.approx(1 / 0.3, rel=1e-2)
