"""How batches are drawn and changed."""

from itertools import islice

import numpy as np
import torch
from disc_slices import disc_slices

from ct2pet.study.slices import to_network
from ct2pet.study.training_set import TrainingSet, augmented, batches


def drawn(training, number, size=8, seed=0):
    return list(islice(batches(training, size, seed), number))


def test_every_image_is_drawn_once_before_one_is_drawn_again(training):
    images = torch.cat([batch[0] for batch in drawn(TrainingSet(training), len(training) // 8)])
    assert {image.numpy().tobytes() for image in images} == {
        image.tobytes() for image in to_network(training.images, training.channels)
    }


def test_a_seed_gives_the_same_batches(training):
    own = TrainingSet(training, augmented=True, mixup=0.4)
    first, same, other = (drawn(own, 3, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(first, same))
    assert not torch.equal(first[0][0], other[0][0])


def test_oversampling_draws_both_classes_equally_often(training):
    few = training.take(np.flatnonzero((training.labels == 0) | (np.arange(len(training)) < 8)))
    plain, balanced = (
        torch.cat([batch[1] for batch in drawn(TrainingSet(few, balanced=on), 20)]).mean(dim=0) for on in (False, True)
    )
    assert plain[1] < 0.2
    assert balanced[1] == 0.5


def test_mixup_mixes_images_as_it_mixes_labels():
    """Images that hold their label alone stay so after the mixture."""
    slices = disc_slices(20)
    slices = type(slices)(
        np.broadcast_to(np.expm1(slices.labels)[:, None, None, None], slices.images.shape).astype(np.float32),
        *(slices.labels, slices.patients, slices.channels, slices.classes),
    )
    images, shares = drawn(TrainingSet(slices, mixup=0.4), 1, size=16)[0]
    torch.testing.assert_close(images.mean(dim=(1, 2, 3)), shares[:, 1], atol=1e-5, rtol=0)
    assert ((shares > 0.01) & (shares < 0.99)).any()


def test_augmentation_keeps_values_and_moves_images():
    """Uptake is not scaled: the hottest value stays, and so does a constant image."""
    images = torch.from_numpy(disc_slices(30).images)
    changed = augmented(images, np.random.default_rng(0))
    ratios = changed.amax(dim=(1, 2, 3)) / images.amax(dim=(1, 2, 3))
    assert (ratios > 0.9).all()
    assert (ratios < 1.001).all()
    assert (changed - images).abs().amax(dim=(1, 2, 3)).min() > 0.05
    constant = torch.full((4, 1, 16, 16), 2.5)
    torch.testing.assert_close(augmented(constant, np.random.default_rng(0)), constant)
