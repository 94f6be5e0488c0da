"""Copies of training images are flagged, also changed ones, and new images are not."""

from dataclasses import replace

import numpy as np
import pytest
from disc_slices import disc_slices

from ct2pet.study.privacy import nearest_distances, privacy_report


@pytest.fixture(scope="module")
def new():
    return disc_slices(80, seed=11, first=700)


@pytest.fixture(scope="module")
def trained_on():
    return disc_slices(60, seed=12)


CHANGES = {
    "as they are": lambda images: images,
    "mirrored": lambda images: images[..., ::-1],
    "upside down": lambda images: images[..., ::-1, :],
    "shifted": lambda images: np.roll(images, (1, -1), axis=(2, 3)),
    "noisy": lambda images: images + np.random.default_rng(0).normal(0, 0.02, images.shape),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_generator_that_copies_is_flagged(trained_on, new, change):
    copies = replace(trained_on, images=CHANGES[change](trained_on.images).astype(np.float32))
    report = privacy_report(copies, trained_on, new)
    assert report.share_below >= 0.95
    assert report.median_synthetic < report.threshold < report.median_real


def test_the_closest_pairs_are_the_copies_and_their_originals(trained_on, new):
    images = new.images[:30].copy()
    images[7], images[21] = trained_on.images[40], trained_on.images[3]
    mixed = replace(new.take(np.arange(30)), images=images)
    first, second = privacy_report(mixed, trained_on, new).closest[:2]
    assert {(first.synthetic, first.training), (second.synthetic, second.training)} == {(7, 40), (21, 3)}
    assert first.distance == pytest.approx(0, abs=1e-5)


def test_new_images_of_the_same_kind_are_not_flagged(trained_on, new):
    others = disc_slices(80, seed=13, first=900)
    assert privacy_report(others, trained_on, new).share_below < 0.05


def test_distances_are_root_mean_squares_in_log_suv(trained_on):
    one = replace(trained_on, images=np.full_like(trained_on.images, 3.0))
    two = replace(trained_on, images=np.full_like(trained_on.images, 1.0))
    distances, _ = nearest_distances(one, two)
    np.testing.assert_allclose(distances, np.log(4) - np.log(2), rtol=1e-5)


def test_images_of_the_same_patient_can_be_left_out(trained_on):
    own, _ = nearest_distances(trained_on, trained_on)
    others, index = nearest_distances(trained_on, trained_on, other_patients=True)
    np.testing.assert_allclose(own, 0, atol=1e-6)
    assert others.min() > 1e-3
    assert (trained_on.patients[index] != trained_on.patients).all()
