"""How much less alike real images are than generated ones."""

import pytest
import torch

from ct2pet.losses.diversity import diversity_gap

CLASSES = torch.tensor([0, 0, 0, 1, 1])


def images(seed=0):
    return torch.rand(5, 2, 4, 4, generator=torch.Generator().manual_seed(seed))


def test_the_diversity_loss_is_1_for_equal_images_and_0_for_real_ones():
    real = images()
    of_class = torch.rand(2, 2, 4, 4)
    torch.testing.assert_close(diversity_gap(real, of_class[CLASSES], CLASSES), torch.tensor(1.0))
    torch.testing.assert_close(diversity_gap(real, real, CLASSES), torch.tensor(0.0))


@pytest.mark.parametrize(("factor", "gap"), [(0.25, 0.75), (0.5, 0.5), (2.0, 0.0)])
def test_the_diversity_loss_falls_with_the_distance_of_images_down_to_that_of_real_ones(factor, gap):
    torch.testing.assert_close(diversity_gap(images(), factor * images() + 3, CLASSES), torch.tensor(gap))


def test_differences_between_classes_do_not_count():
    real, alike = images(), torch.zeros(5, 2, 4, 4)
    alike[CLASSES == 1] = 100.0
    assert diversity_gap(real, alike, CLASSES) == 1


def test_the_gradient_of_the_diversity_loss_increases_the_distance_of_images():
    real, made = images(), (0.1 * images(1)).requires_grad_()
    before = diversity_gap(real, made, CLASSES)
    before.backward()
    assert diversity_gap(real, made - 0.1 * made.grad, CLASSES) < before


def test_a_batch_without_two_images_of_a_class_costs_nothing():
    made = images()[:2].requires_grad_()
    gap = diversity_gap(images()[:2], made, torch.tensor([0, 1]))
    assert gap == 0
    gap.backward()
    assert (made.grad == 0).all()
